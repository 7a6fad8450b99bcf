import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SafetensorsFile } from '../../src/formats/safetensors.js'
import { mim, mimJson, mimUntil } from '../commands/cli.js'
import { onEachEngine } from '../engines.js'
import { query, savedStep, smallStages, workplace } from './stages.js'

const folder = await workplace()
const stages = smallStages(folder)
const tolerance = 1e-6

/** Results without what tells the time. */
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

// What the runs start from; WASM is always there.
const pretrained = join(folder, 'pretrained')
const embeddings = join(folder, 'embeddings')
await mimJson([...stages.pretrain, '--engine', 'wasm', '--out', pretrained])
await mimJson([...stages.embed, '--checkpoint', pretrained, '--out', embeddings])

const commands: Record<string, string[]> = {
  pretrain: stages.pretrain,
  sft: [...stages.sft, '--init', pretrained, '--set', 'negatives.mineEvery=5', '--set', 'levels.matryoshka=[6]'],
  ctr: [...stages.ctr, '--embeddings', embeddings],
}

interface Disturbance {
  /** `time`: --max-time is over with the first step. */
  signal: 'SIGKILL' | 'SIGINT' | 'time'
  /** Saved step at which it strikes. */
  at: number
}

const timeIsUp: Disturbance = { signal: 'time', at: 1 }

const kills: Disturbance[] = [3, 8].map((at) => ({ signal: 'SIGKILL', at }))

const cases: { engine: string; stage: string; disturbances: Disturbance[] }[] = [
  { engine: 'tensorflow', stage: 'pretrain', disturbances: [timeIsUp, ...kills] },
  { engine: 'tensorflow', stage: 'sft', disturbances: [timeIsUp, ...kills] },
  { engine: 'tensorflow', stage: 'ctr', disturbances: [timeIsUp, ...kills, { signal: 'SIGINT', at: 11 }] },
  { engine: 'wasm', stage: 'sft', disturbances: [{ signal: 'SIGINT', at: 5 }] },
]

await onEachEngine('a disturbed run', ({ name }) => {
  for (const { engine, stage, disturbances } of cases.filter((c) => c.engine === name)) {
    const what = disturbances.map(({ signal, at }) => `${signal} at ${at}`).join(', ')
    test(`when ${stage} gets ${what} then --resume ends where an undisturbed run does`, async () => {
      const [whole, out] = ['whole', 'disturbed'].map((name) => join(folder, engine, stage, name))
      const start = (folder: string) => [...commands[stage], '--engine', engine, '--out', folder]
      const expected = await mimJson(start(whole))

      const command = [...start(out), '--resume']
      for (const { signal, at } of disturbances) {
        if (signal === 'time') {
          const { stopped, steps } = await mimJson([...command, '--max-time', '0s'])
          assert.deepEqual([stopped, steps], ['max-time', at])
          continue
        }
        const ended = await mimUntil(command, () => savedStep(out) >= at, signal)
        assert.equal(ended.code, signal === 'SIGINT' ? 130 : null, ended.stderr)
        assert.equal(existsSync(join(out, 'metrics.json')), false)
        if (signal === 'SIGINT')
          assert.match(ended.stderr, new RegExp(`go on with: mim ${stage} .*--out ${out} --resume\n$`))
      }
      const reached = savedStep(out)
      const { code, stdout, stderr } = await mim([...command, '--json'])
      assert.equal(code, 0, stderr)
      assert.match(stderr, new RegExp(`resumed at step ${reached}\n`))

      assertClose(untimed(JSON.parse(stdout)), untimed(expected))
      for (const file of ['checkpoint/model.safetensors', 'last/state.safetensors'])
        assert.ok(largestDifference(join(out, file), join(whole, file)) <= tolerance, file)
      assertClose(await losses(out), await losses(whole))
    })
  }
})
