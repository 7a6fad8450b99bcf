import { join } from 'node:path'
import { test } from 'node:test'
import { ctrConfig } from '../../src/config/ctr.js'
import { sftConfig } from '../../src/config/sft.js'
import type { CtrDataset } from '../../src/data/clicks/dataset.js'
import { columnOf } from '../../src/data/tables/column.js'
import { checkClasses, checkWeights } from '../../src/stages/ctr/describe.js'
import { loadDataset } from '../../src/stages/ctr/load.js'
import { ablate } from '../../src/studies/ablation.js'
import { findRuns } from '../../src/studies/compare.js'
import { differenceOf, type Predictions } from '../../src/studies/paired.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'
import { assertRefused } from './refused.js'

const [db, folder] = [await openDatabase(), await temporaryFolder()]

test('when runs are looked for in a folder that is missing then folder-missing', () =>
  assertRefused(() => findRuns(join(folder, 'none')), 'folder-missing', /none\b/))

test('when runs were tested on other impressions then they are not compared', async () => {
  const run = (label: string, ...labels: number[]): Predictions => ({
    label,
    labels: Uint8Array.from(labels),
    users: new Int32Array(labels.length),
    scores: [new Float32Array(labels.length)],
  })
  const compare = () => differenceOf('auc', run('a', 0, 1), run('b', 1, 0))
  await assertRefused(compare, 'runs-differ', /^a and b /)
})

test('when no part can be taken away then there is no ablation', async () => {
  const config = sftConfig.parse({ positives: { sources: ['session'] } })
  const run = () => ablate(config, ['positives'], [1], join(folder, 'ablation'), () => {})
  await assertRefused(run, 'ablation-few', / positives /)
})

test('when a model needs content vectors and none are given then embeddings-missing', () =>
  assertRefused(
    () => loadDataset(db, ctrConfig.parse({ model: { name: 'content' } })),
    'embeddings-missing',
    /'content'/,
  ))

test('when a part of the impressions has no click then labels-one-class', async () => {
  const split = { train: { from: 0, to: 2 }, valid: { from: 2, to: 4 }, test: { from: 4, to: 6 } }
  const check = (...labels: number[]) => {
    const impressions = { label: columnOf(Uint8Array.from(labels)), rows: labels.length }
    checkClasses({ impressions, split } as unknown as CtrDataset, 'impressions.parquet')
  }
  check(0, 1, 1, 0, 0, 1)
  await assertRefused(() => check(0, 1, 0, 0, 0, 1), 'labels-one-class', /valid part.* 0 clicks in 2 of 6/)
  await assertRefused(() => check(0, 1, 0, 1, 1, 1), 'labels-one-class', /test part.* 2 clicks in 2 of 6/)
})

test('when all weights of the training part are 0 then weight-value', async () => {
  const split = { train: { from: 0, to: 2 }, valid: { from: 2, to: 3 }, test: { from: 3, to: 4 } }
  const check = (...weights: number[]) => {
    const impressions = { weight: columnOf(Float32Array.from(weights)), rows: 4 }
    checkWeights({ impressions, split } as unknown as CtrDataset, 'impressions.parquet')
  }
  check()
  check(0, 0.5, 0, 0)
  await assertRefused(
    () => check(0, 0, 1, 1),
    'weight-value',
    /train part are 0: 2 of 4 impressions; expected a weight/,
  )
})
