/** Faults at exact calls: a first run counts the calls that change the disk, then one call each is the last, or fails. */
import assert from 'node:assert/strict'
import type { Case } from './commands.js'
import type { Fault, Kind } from './faults.js'
import { assertNoTrace, type Call, lastLines, type Undisturbed } from './places.js'
import { assertWhole } from './results.js'
import { type Cases, inLanes } from './undisturbed.js'

export interface Point {
  what: string
  case_: Case
  command: number
  fault: Fault
}

/** All points of the cases. */
export async function pointsOf(cases: Cases, of: readonly Case[], fate: 'kill' | 'fail'): Promise<Point[]> {
  const undisturbed: Undisturbed[] = []
  const jobs = of.map((case_) => async () => void undisturbed.push(await cases.undisturbed(case_.name)))
  await inLanes(jobs, 2)
  const inOrder = of.map((case_) => undisturbed.find((one) => one.case_ === case_)!)
  return inOrder.flatMap((one) => pointsOfCase(one, fate))
}

function pointsOfCase({ case_, place, calls }: Undisturbed, fate: 'kill' | 'fail'): Point[] {
  const faults = (call: Call) => (fate === 'kill' ? killsAt(call) : failuresAt(call, case_.name))
  return calls.flatMap((ofCommand, command) =>
    ofCommand.flatMap(faults).map(({ fault, call, how }) => {
      const path = call.path.replace(place.work, '').replace(place.temporary, 'TMPDIR')
      const what = `${case_.name}, command ${command + 1}, ${how} ${call.kind} ${path} (call ${call.number})`
      return { what, case_, command, fault }
    }),
  )
}

interface At {
  fault: Fault
  call: Call
  how: string
}

/** Before each change of a name; after it with a power cut; in the middle of writing and of removing a folder. */
function killsAt(call: Call): At[] {
  const { number: at, kind } = call
  const named = ['rename', 'link', 'remove', 'copy'].includes(kind)
  return [
    ...(named ? [{ fault: { at, kill: 'before' } as const, call, how: 'killed before' }] : []),
    ...(named ? [{ fault: { at, kill: 'after', power: true } as const, call, how: 'power cut after' }] : []),
    ...(kind === 'remove' ? [{ fault: { at, kill: 'during' } as const, call, how: 'killed during' }] : []),
  ]
}

/** Codes that the system gives for each kind of call. */
const codes: Partial<Record<Kind, readonly string[]>> = {
  open: ['ENOSPC', 'EROFS', 'EMFILE', 'EDQUOT', 'EIO'],
  write: ['ENOSPC', 'EDQUOT', 'EIO'],
  flush: ['EIO', 'ENOSPC', 'EDQUOT'],
  folder: ['ENOSPC', 'EROFS', 'EDQUOT', 'EIO'],
  rename: ['ENOSPC', 'EROFS', 'EIO'],
  link: ['ENOSPC', 'EROFS', 'EDQUOT'],
  copy: ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE'],
}

/** One code for each call, and whether it fails once or until space is freed: these go round. */
function failuresAt(call: Call, name: string): At[] {
  const { number: at, kind } = call
  const possible = codes[kind]
  if (!possible) return []
  const turn = at + name.length
  const code = possible[turn % possible.length]
  const stays = ['ENOSPC', 'EDQUOT', 'EROFS'].includes(code) && turn % 2 === 0
  return [{ fault: { at, code, stays }, call, how: `${code}${stays ? ' from then on' : ''} at` }]
}

/** Kills the command at the point, runs it again, and asserts that the end is the undisturbed one. */
export async function survivePoint(cases: Cases, { case_, command, fault }: Point): Promise<boolean> {
  const place = await cases.place(case_)
  await place.finish(0, command)
  const end = await place.start(command, { fault }).ended
  assert.ok(end.code === null || end.code === 0, `ended with ${end.code}: ${lastLines(end)}`)
  await assertWhole(place.work)
  await place.assertSame(await cases.undisturbed(case_.name), await place.finish(command))
  place.remove()
  return end.code === null
}

const ids: Record<string, string> = {
  ENOSPC: 'place-full',
  EDQUOT: 'place-full',
  EIO: 'place-failing',
  EROFS: 'place-denied',
  EMFILE: 'files-open',
}

/** Makes the call fail: one line says where and why. Then the same command completes. */
export async function surviveFailure(cases: Cases, { case_, command, fault }: Point): Promise<boolean> {
  const place = await cases.place(case_)
  await place.finish(0, command)
  const end = await place.start(command, { fault }).ended
  assertNoTrace(end)
  // What fails may be unimportant, e.g. a cache; then the command completes.
  if (end.code !== 0) {
    assert.equal(end.code, 2, lastLines(end))
    const [last] = end.stderr.trimEnd().split('\n').slice(-1)
    assert.match(last, new RegExp(`^error \\[${ids[fault.code!]}\\]: .*;`), lastLines(end))
  }
  await assertWhole(place.work)
  await place.assertSame(await cases.undisturbed(case_.name), await place.finish(command))
  place.remove()
  return end.code === 2
}
