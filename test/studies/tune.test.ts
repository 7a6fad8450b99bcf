import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { Random } from '../../src/base/random.js'
import type { Range } from '../../src/config/tune.js'
import { drawAnywhere, drawLikely, type Observed, type Values } from '../../src/studies/sampler.js'
import { mim, mimJson } from '../commands/cli.js'
import { workplace } from '../e2e/stages.js'

const ranges: Record<string, Range> = {
  rate: { log: [1e-5, 1] },
  share: { uniform: [-2, 2] },
  layers: { int: [1, 5] },
  kind: { choice: ['a', 'b', 'c'] },
}

test('when values are drawn then they lie in their ranges and reach both ends', () => {
  const drawn = Array.from({ length: 400 }, (_, i) => drawAnywhere(ranges, Random.of('anywhere', i)))
  const of = (path: string) => drawn.map((values) => values[path] as number)
  assert.ok(of('rate').every((x) => x >= 1e-5 && x <= 1))
  assert.ok(of('rate').filter((x) => x < 1e-3).length > 120, 'orders of magnitude are even')
  assert.ok(of('share').every((x) => x >= -2 && x <= 2))
  assert.deepEqual([...new Set(of('layers'))].sort(), [1, 2, 3, 4, 5])
  assert.deepEqual([...new Set(of('kind'))].sort(), ['a', 'b', 'c'])
})

/** Best at rate 0.01, share 1, 2 layers and kind b. */
const lossOf = ({ rate, share, layers, kind }: Values) =>
  (Math.log10(rate as number) + 2) ** 2 +
  ((share as number) - 1) ** 2 +
  ((layers as number) - 2) ** 2 / 4 +
  (kind === 'b' ? 0 : 1)

test('when trials have results then the next ones come nearer to the optimum than random ones', () => {
  const best = (likely: boolean, seed: number) => {
    const seen: Observed[] = []
    for (let trial = 0; trial < 50; trial++) {
      const random = Random.of('tune', seed, trial)
      const values = likely && trial >= 8 ? drawLikely(ranges, seen, random) : drawAnywhere(ranges, random)
      // A failed trial is the worst, wherever it was.
      seen.push({ values, loss: trial % 7 === 6 ? Number.POSITIVE_INFINITY : lossOf(values) })
    }
    return Math.min(...seen.map(({ loss }) => loss))
  }
  const seeds = [1, 2, 3, 4, 5, 6]
  const mean = (likely: boolean) => seeds.reduce((sum, seed) => sum + best(likely, seed), 0) / seeds.length
  assert.ok(mean(true) < mean(false) / 2, `${mean(true)} and ${mean(false)}`)
})

const folder = await workplace()
const file = join(folder, 'tune.yaml')
const lines = [
  'set: { model.name: din, train.epochs: 1, train.batch: 512, evaluation.resamples: 0 }',
  'ranges: { train.learningRate: { choice: [1.0e-3, 1.0e+30] }, model.dim: { int: [2, 4] } }',
  'startup: 3',
  'seed: 4',
]
const command = (out: string, trials: number) => {
  const flags = ['--data', join(folder, 'tiny'), '--out', join(folder, out), '--trials', String(trials)]
  return ['ctr', 'tune', '-c', file, ...flags]
}

interface Tuning {
  best: { trial: number; value: number; values: Values }
  trials: { trial: number; value: number | null; values: Values; failed?: string }[]
}

test('when trials are added later then those before are kept and the new ones are what they would have been', async () => {
  writeFileSync(file, lines.join('\n'))
  await mimJson(command('a', 2))
  const metrics = join(folder, 'a/trials/0001/run/metrics.json')
  const first = join(folder, 'a/trials/0001/trial.json')
  const written = statSync(first).mtimeMs
  const later = (await mimJson(command('a', 5))) as unknown as Tuning
  assert.equal(statSync(first).mtimeMs, written)
  const atOnce = (await mimJson(command('b', 5))) as unknown as Tuning
  assert.deepEqual(later, atOnce)
  assert.equal(later.trials.length, 5)
  for (const { values, value, failed } of later.trials) {
    assert.equal(value === null, values['train.learningRate'] === 1e30, `${failed}`)
    if (value === null) assert.match(failed!, /^training diverged: the loss is/)
  }
  assert.equal(later.best.value, Math.max(...later.trials.map(({ value }) => value ?? 0)))
  const best = parse(readFileSync(join(folder, 'a/best.yaml'), 'utf8'))
  assert.deepEqual(
    [best.model.dim, best.train.learningRate],
    [later.best.values['model.dim'], later.best.values['train.learningRate']],
  )
  assert.ok(statSync(metrics).isFile() || later.trials[0].value === null)
})

test('when time is up before the first trial then it says so, and ranges that make no sense are refused', async () => {
  const { stderr, stdout, code } = await mim([...command('c', 3), '--time', '0s'])
  assert.equal(code, 0)
  assert.match(stderr, /stopped after 0 of 3 trials: time limit of 0s reached/)
  assert.equal(stdout.trim().split('\n').length, 2)
  const cases: [string, RegExp][] = [
    ['ranges={ train.learningRate: { log: [0, 1] } }', /error \[config\].*ranges\.train\.learningRate/s],
    ['ranges={ model.dmi: { int: [1, 2] } }', /error \[config\]: trial 1: .*'dim'/s],
    ['metric=auc', /error \[config\].*metric: "auc"/s],
  ]
  for (const [set, expected] of cases) {
    const refused = await mim([...command('d', 1), '--set', set])
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, expected)
  }
})
