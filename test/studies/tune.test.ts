import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { ctrConfig } from '../../src/config/ctr.js'
import { gridConfig } from '../../src/config/grid.js'
import { tuneConfig } from '../../src/config/tune.js'
import { ctrInputs } from '../../src/stages/shared/inputs.js'
import { trialFile, trialFolder } from '../../src/studies/earlierTrials.js'
import { grid } from '../../src/studies/grid.js'
import { trialConfig } from '../../src/studies/trial.js'
import { tune } from '../../src/studies/tune.js'
import { Run } from '../../src/train/run.js'
import { openTables } from '../data/tables.js'
import { assertRefused } from '../errors/refused.js'

const { folder, db } = await openTables()
let places = 0
const data = join(folder, 'data')
mkdirSync(data)
const rows =
  "SELECT 'u' || i % 7 AS user_id, i % 20 AS item_id, i % 2 AS label, 'click' AS action, i AS ts FROM range(99) r(i)"
const write = (name: string, query: string) => db.writeParquet(query, join(data, `${name}.parquet`))
for (const name of ['impressions', 'behaviors', 'items']) await write(name, rows)

const options = {
  set: { 'model.name': 'din' },
  ranges: { 'train.learningRate': { log: [1e-3, 1e-1] }, 'model.dim': { choice: [4, 8] } },
  sampler: 'random',
  trials: 1,
}

/** A finished run with these metrics. */
async function finishedRun(
  out: string,
  sets: Record<string, unknown>,
  metrics: Record<string, unknown>,
): Promise<void> {
  const config = trialConfig('test', null, sets, { data })
  const run = { out, stage: 'ctr', config, schema: ctrConfig, inputs: ctrInputs(config), resume: true }
  await Run.with(run, (each) => each.finish(metrics))
}

/** A tuning with one trial, of learning rate 0.01 and AUC 0.6. */
async function tuned({ trial = {}, metrics = { valid_auc: 0.6, valid_logloss: 0.69 }, values = {} as object } = {}) {
  const out = join(folder, `tune-${places++}`)
  const drawn = { 'train.learningRate': 0.01, 'model.dim': 4, ...values }
  await finishedRun(join(trialFolder(out, 1), 'run'), { ...options.set, ...drawn, seed: 1 }, metrics)
  writeFileSync(trialFile(out, 1), JSON.stringify({ trial: 1, values: drawn, value: 0.6, ...trial }))
  const again = (changes: object = {}, flags: object = { data }) =>
    tune(tuneConfig.parse({ ...options, ...changes }), out, flags, () => {})
  return { out, again }
}

test('when a tuning is continued with the same question then its trials are reused; more trials and another time are allowed', async () => {
  const { out, again } = await tuned()
  assert.equal((await again()).best!.value, 0.6)
  // With no time left for a second trial.
  assert.equal((await again({ trials: 5, time: '0s' })).trials.length, 1)
  assert.equal(parse(readFileSync(join(out, 'best.yaml'), 'utf8')).train.learningRate, 0.01)
})

const questions: [string, object, RegExp][] = [
  ['metric', { metric: 'valid_logloss' }, /metric is "valid_logloss", was "valid_auc"/],
  [
    'range',
    { ranges: { ...options.ranges, 'train.learningRate': { log: [1e-3, 1] } } },
    /ranges\.train\.learningRate\.log is \[0\.001,1\]/,
  ],
  [
    'option to tune',
    { ranges: { ...options.ranges, 'model.contentDim': { int: [8, 16] } } },
    /ranges\.model\.contentDim is .*, was not given/,
  ],
  ['option for all trials', { set: { ...options.set, 'train.batch': 64 } }, /base\.train\.batch is 64, was /],
  ['sampler', { sampler: 'tpe' }, /sampler is "tpe", was "random"/],
  ['startup', { startup: 3 }, /startup is 3, was 8/],
  ['seed', { seed: 2 }, /seed is 2, was 1/],
]
for (const [what, changes, named] of questions) {
  test(`when a tuning is continued with another ${what} then it is refused, and the message names it`, async () => {
    const { again } = await tuned()
    // The trial is reused; then the question is remembered with the next one, which fails.
    await assert.rejects(again({ trials: 2 }))
    await assertRefused(() => again(changes), 'tune-differs', named)
  })
}

test('when the base configuration or the data folder is another one then the tuning is not continued', async () => {
  const { again } = await tuned()
  await assert.rejects(again({ trials: 2 }))
  const base = join(folder, 'base.yaml')
  writeFileSync(base, 'train: { patience: 7 }')
  await assertRefused(() => again({ config: base }), 'tune-differs', /base\.train\.patience is 7/)
  await assertRefused(() => again({}, { data: folder }), 'tune-differs', /base\.data\.root is .*, was .*data"/)
})

test('when an earlier version tuned another metric then old results are not ranked by the new one', async () => {
  const { out, again } = await tuned()
  await assertRefused(
    () => again({ metric: 'valid_logloss' }),
    'trial-foreign',
    /its result is 0\.6, but valid_logloss of its run is 0\.69; remove \S+0001 to repeat the trial/,
  )
  writeFileSync(join(out, 'tune.json'), JSON.stringify({ metric: 'valid_auc', trials: [] }))
  await assertRefused(() => again({ metric: 'valid_logloss' }), 'tune-differs', /metric is "valid_logloss"/)
  writeFileSync(join(out, 'question.json'), '{"metric')
  await assertRefused(again, 'tune-broken', /question\.json/)
})

const foreign: [string, Parameters<typeof tuned>[0], RegExp][] = [
  ['of another number', { trial: { trial: 2 } }, /it is of trial 2/],
  [
    'of other options',
    { trial: { values: { 'train.learningRate': 0.01 } } },
    /values of train\.learningRate, not of model\.dim/,
  ],
  ['out of the ranges', { values: { 'model.dim': 16 } }, /model\.dim is 16, out of the range/],
  ['without a result', { trial: { value: null } }, /neither a result nor a failure/],
  ['with a result that is no number', { trial: { value: 'good' } }, /it lacks number, values or result/],
  [
    'of another run',
    { trial: { values: { 'train.learningRate': 0.02, 'model.dim': 4 } } },
    /train\.learningRate is 0\.02, was 0\.01/,
  ],
  [
    'with another result than its run',
    { trial: { value: 0.9 } },
    /its result is 0\.9, but valid_auc of its run is 0\.6/,
  ],
]
for (const [what, made, named] of foreign) {
  test(`when a trial is ${what} then the tuning does not rank it`, async () => {
    const { again } = await tuned(made)
    await assertRefused(again, 'trial-foreign', named)
  })
}

test('when a run has no finite metric then its trial has failed and is never the best', async () => {
  for (const valid_auc of [Number.NaN, undefined]) {
    const out = join(folder, `tune-${places++}`)
    // The run is finished, but the trial is not: the process was killed between the two.
    const one = { ranges: { 'train.epochs': { choice: [1, 1] } } }
    await finishedRun(join(trialFolder(out, 1), 'run'), { ...options.set, 'train.epochs': 1, seed: 1 }, { valid_auc })
    const { best, trials } = await tune(tuneConfig.parse({ ...options, ...one }), out, { data }, () => {})
    assert.equal(best, undefined)
    assert.match(trials[0].failed!, /^valid_auc is (null|missing)$/)
  }
})

test('when the data of a trial have changed then a tuning and a grid refuse, and name the run', async () => {
  const { again } = await tuned()
  const out = join(folder, 'grid')
  const runs = join(out, 'runs', 'din', 'seed-1')
  await finishedRun(runs, { ...options.set, seed: 1 }, { auc: 0.5 })
  const config = gridConfig.parse({ set: options.set, rows: [{ name: 'DIN' }] })
  await write('behaviors', `${rows} LIMIT 50`)
  try {
    await assertRefused(
      again,
      'inputs-changed',
      /0001\/run: .*data\.behaviors .*50 rows, were 99; restore .*remove \S+0001 to repeat/,
    )
    await assertRefused(() => grid(config, out, { data }, () => {}), 'inputs-changed', /seed-1: .*data\.behaviors/)
  } finally {
    await write('behaviors', rows)
  }
})

test('when a grid is started again with other options, vectors or data then its finished runs are not reused', async () => {
  const out = join(folder, 'other-grid')
  const row = { name: 'a', vectors: ['v'], set: {} }
  const vectors = { v: join(folder, 'v') }
  const sets = { ...options.set, 'data.embeddings': vectors.v, seed: 3 }
  await finishedRun(join(out, 'runs', 'a-v', 'seed-3'), sets, { auc: 0.5 })
  const again = (changes: object, flags = { data }) =>
    grid(gridConfig.parse({ set: options.set, seeds: [3], vectors, rows: [row], ...changes }), out, flags, () => {})
  const base = join(folder, 'grid-base.yaml')
  writeFileSync(base, 'train: { patience: 7 }')
  const refused: [object, RegExp][] = [
    [{ set: { ...options.set, 'train.batch': 64 } }, /train\.batch is 64/],
    [{ vectors: { v: join(folder, 'w') } }, /data\.embeddings is .*w"/],
    [{ rows: [{ ...row, set: { 'train.epochs': 9 } }] }, /train\.epochs is 9/],
    [{ config: base }, /train\.patience is 7/],
  ]
  for (const [changes, named] of refused) await assertRefused(() => again(changes), 'run-differs', named)
  await assertRefused(() => again({}, { data: folder }), 'run-differs', /data\.root/)
  rmSync(out, { recursive: true })
})
