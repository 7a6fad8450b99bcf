/**
 * The campaign of kills: `make campaign KILLS=100 POINTS=all FAILURES=all SEED=1`. Each case prints its number; ONLY=17
 * repeats case 17 of the same seed. What a command leaves must be equal to what it leaves undisturbed, to 1e-6.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { pointsOf, surviveFailure, survivePoint } from './points.js'
import { randomKill, surviveKills } from './randomKills.js'
import { Cases, inLanes } from './undisturbed.js'

const setting = (name: string, usual: string) => process.env[name] || usual
const seed = setting('SEED', '1')
const only = process.env['ONLY']
const lanes = Number(setting('LANES', '2'))

const cases = await Cases.make()

interface Trial {
  what: string
  /** Throws where something was lost; false if nothing was disturbed, e.g. because the command had ended. */
  survive(): Promise<boolean>
}

/** Tries all; prints what was lost, and the count at the end. */
async function campaign(title: string, trials: readonly Trial[]): Promise<void> {
  const lost: string[] = []
  let survived = 0
  let missed = 0
  const chosen = [...trials.entries()].filter(([i]) => only === undefined || Number(only) === i + 1)
  const jobs = chosen.map(([i, { what, survive }]) => async () => {
    try {
      if (await survive()) survived++
      else missed++
    } catch (error) {
      const line = `${title} ${i + 1} of seed ${seed}: ${what}: ${error instanceof Error ? error.message : error}`
      lost.push(line)
      process.stderr.write(`lost: ${line}\n`)
    }
  })
  await inLanes(jobs, lanes)
  const rest = missed > 0 ? `, ${missed} not reached` : ''
  process.stderr.write(
    `${title}: ${chosen.length} tried, ${survived} survived, ${lost.length} lost${rest} (seed ${seed})\n`,
  )
  assert.equal(lost.length, 0)
}

/** That many of the list, or all; the seed determines which. */
function chosen<T>(list: readonly T[], count: string, salt: string): T[] {
  const random = Random.of(seed, salt)
  const ranked = list.map((value) => ({ value, rank: random.uniform() })).sort((a, b) => a.rank - b.rank)
  return ranked.slice(0, count === 'all' ? list.length : Number(count)).map(({ value }) => value)
}

test('when commands are killed at random moments and run again then they end as if undisturbed', async () => {
  const order = chosen(cases.list, 'all', 'cases')
  const trials = Array.from({ length: Number(setting('KILLS', '20')) }, (_, i) => {
    const kills = randomKill(order[i % order.length], Random.of(seed, 'kill', i))
    return { what: kills.what, survive: () => surviveKills(cases, kills) }
  })
  await campaign('kills', trials)
})

test('when commands are killed, or lose power, before or after a change of names then they end as if undisturbed', async () => {
  const count = setting('POINTS', '12')
  const points = await pointsOf(cases, chosen(cases.list, count, 'cases of points'), 'kill')
  const trials = chosen(points, count, 'points').map((point) => ({
    what: point.what,
    survive: () => survivePoint(cases, point),
  }))
  await campaign('crash points', trials)
})

test('when a write fails then one line names the place, nothing is lost, and the same command then completes', async () => {
  const count = setting('FAILURES', '12')
  const points = await pointsOf(cases, chosen(cases.list, count, 'cases of failures'), 'fail')
  const trials = chosen(points, count, 'failures').map((point) => ({
    what: point.what,
    survive: () => surviveFailure(cases, point),
  }))
  await campaign('failures', trials)
})
