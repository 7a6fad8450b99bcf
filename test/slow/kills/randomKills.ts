/** Kills at random moments: while a command loads, trains, saves, publishes. */
import assert from 'node:assert/strict'
import type { Random } from '../../../src/base/random.js'
import type { Case } from './commands.js'
import { assertNoTrace, lastLines } from './places.js'
import { assertWhole } from './results.js'
import type { Cases } from './undisturbed.js'

interface Kill {
  /** Index of the command of the case. */
  command: number
  /** Share of its undisturbed duration. */
  moment: number
  signal: NodeJS.Signals
}

export interface Kills {
  what: string
  case_: Case
  kills: readonly Kill[]
}

/** Exit codes of commands that end by themselves upon a signal. */
const ends = [130, 143, 129]

/** One to three kills of a case, one after the other. */
export function randomKill(case_: Case, random: Random): Kills {
  const count = [1, 1, 1, 2, 2, 3][random.int(6)]
  const kills = Array.from({ length: count }, (): Kill => {
    const signal = (['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const)[random.int(7)]
    return { command: random.int(case_.commands.length), moment: random.uniform(), signal }
  }).sort((a, b) => a.command - b.command)
  const list = kills.map(({ command, moment, signal }) => `${signal} in command ${command + 1} at ${moment.toFixed(3)}`)
  return { what: `${case_.name}: ${list.join(', ')}`, case_, kills }
}

/** Kills, and kills earlier where the command had ended before; asserts that the end is the undisturbed one. */
export async function surviveKills(cases: Cases, { case_, kills }: Kills): Promise<boolean> {
  for (const share of [1, 0.5, 0.25]) {
    const earlier = kills.map((kill) => ({ ...kill, moment: share * kill.moment }))
    if (await surviveOnce(cases, case_, earlier)) return true
  }
  return false
}

/** Returns whether a kill came before its command had ended. */
async function surviveOnce(cases: Cases, case_: Case, kills: readonly Kill[]): Promise<boolean> {
  const undisturbed = await cases.undisturbed(case_.name)
  const place = await cases.place(case_)
  let next = 0
  let hits = 0
  for (const { command, moment, signal } of kills) {
    await place.finish(next, command)
    next = command
    const { child, ended } = place.start(command)
    const timer = setTimeout(() => child.kill(signal), moment * undisturbed.durations[command])
    const end = await ended
    clearTimeout(timer)
    if (end.code !== 0) hits++
    assert.ok(
      end.code === 0 || end.code === null || ends.includes(end.code),
      `ended with ${end.code}: ${lastLines(end)}`,
    )
    assertNoTrace(end)
    await assertWhole(place.work)
  }
  await place.assertSame(undisturbed, await place.finish(next))
  place.remove()
  return hits > 0
}
