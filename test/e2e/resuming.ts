/** Runs that are stopped on the way, resumed, and compared with runs that nothing disturbed. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { SafetensorsFile } from '../../src/formats/safetensors.js'
import { mim, mimJson, mimUntil } from '../commands/cli.js'
import { query, savedStep } from './stages.js'

const tolerance = 1e-6

/** Results without durations. */
function untimed(results: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(results).filter(([name]) => !/seconds|per_second/.test(name)))
}

function assertClose(actual: unknown, expected: unknown, path = ''): void {
  if (typeof expected === 'number' && typeof actual === 'number') {
    assert.ok(Math.abs(actual - expected) <= tolerance, `${path}: ${actual}, undisturbed ${expected}`)
  } else if (typeof expected === 'object' && expected !== null) {
    assert.deepEqual(Object.keys(actual as object), Object.keys(expected), path)
    for (const [key, value] of Object.entries(expected))
      assertClose((actual as Record<string, unknown>)[key], value, `${path}.${key}`)
  } else assert.equal(actual, expected, path)
}

/** Largest difference between the tensors of two files of the same names. */
function largestDifference(a: string, b: string): number {
  const [one, other] = [new SafetensorsFile(a), new SafetensorsFile(b)]
  assert.deepEqual([...one.entries.keys()], [...other.entries.keys()])
  let worst = 0
  for (const name of one.entries.keys()) {
    const [x, y] = [one.floats(name), other.floats(name)]
    x.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - y[i]))
    })
  }
  one.close()
  other.close()
  return worst
}

function losses(run: string): Promise<object[]> {
  const files = { history: join(run, 'history.parquet') }
  return query('SELECT CAST(step AS INTEGER) AS step, loss FROM {history} ORDER BY step', files)
}

export interface Disturbance {
  /** `time`: --max-time has passed after the first step. */
  signal: 'SIGKILL' | 'SIGINT' | 'time'
  /** Saved step at which it happens. */
  at: number
}

/**
 * Runs the stage of `command` twice in `folder`: into `whole` undisturbed, and into `disturbed` with all
 * `disturbances`; then resumes the latter and asserts that both end the same. Gives the folder `whole`.
 */
export async function assertResumes(folder: string, command: readonly string[], disturbances: readonly Disturbance[]) {
  const [whole, out] = ['whole', 'disturbed'].map((name) => join(folder, name))
  const expected = await mimJson([...command, '--out', whole])
  const resume = [...command, '--out', out, '--resume']
  for (const { signal, at } of disturbances) {
    if (signal === 'time') {
      const { stopped, steps } = await mimJson([...resume, '--max-time', '0s'])
      assert.deepEqual([stopped, steps], ['max-time', at])
      continue
    }
    const ended = await mimUntil(resume, () => savedStep(out) >= at, signal)
    assert.equal(ended.code, signal === 'SIGINT' ? 130 : null, ended.stderr)
    assert.equal(existsSync(join(out, 'metrics.json')), false)
    if (signal === 'SIGINT')
      assert.match(ended.stderr, new RegExp(`continue with: mim ${command[0]} .*--out ${out} --resume\n$`))
  }
  const reached = savedStep(out)
  const { code, stdout, stderr } = await mim([...resume, '--json'])
  assert.equal(code, 0, stderr)
  assert.match(stderr, new RegExp(`resumed at step ${reached}\n`))

  assertClose(untimed(JSON.parse(stdout)), untimed(expected))
  for (const file of ['checkpoint/model.safetensors', 'last/state.safetensors'])
    assert.ok(largestDifference(join(out, file), join(whole, file)) <= tolerance, file)
  assertClose(await losses(out), await losses(whole))
  return whole
}
