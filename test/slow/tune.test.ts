import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import type { Values } from '../../src/studies/sampler.js'
import { mim, mimJson } from '../commands/cli.js'
import { workplace } from '../e2e/stages.js'

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
    ['metric=auc', /error \[config\]: --set metric=auc: expected one of "valid_auc"/],
  ]
  for (const [set, expected] of cases) {
    const refused = await mim([...command('d', 1), '--set', set])
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, expected)
  }
})
