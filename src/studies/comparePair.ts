/** Compares two click models on one test period: differences with intervals, by item frequency and history length. */
import { basename } from 'node:path'
import { UserError } from '../base/errors.js'
import { requireStage } from '../base/runStage.js'
import type { Difference, ResampledMetric } from '../metrics/index.js'
import type { BucketResult } from '../report/index.js'
import { type FinishedRun, findRuns } from './compare.js'
import { differenceOf, mean, readPredictions, type Summary, summaryOf } from './paired.js'

export interface Side {
  name: string
  summary: Summary
}

/** AUC of both models in one segment of the test period, means over seeds. */
export interface BucketPair extends Omit<BucketResult, 'auc'> {
  a: number
  b: number
}

export interface PairComparison {
  a: Side
  b: Side
  /** A minus B. */
  differences: Record<ResampledMetric, Difference>
  by_item_frequency: BucketPair[]
  by_history_length: BucketPair[]
}

/**
 * Compares two models, each given as a run of `mim ctr` or a folder with its runs, one per seed.
 * @throws UserError `run-stage`, `runs-missing`, `runs-differ`.
 */
export async function comparePair(folderA: string, folderB: string): Promise<PairComparison> {
  const [runsA, runsB] = [clickRuns(folderA), clickRuns(folderB)]
  const read = (folder: string, runs: FinishedRun[]) =>
    readPredictions(
      folder,
      runs.map((run) => run.folder),
    )
  const [a, b] = [await read(folderA, runsA), await read(folderB, runsB)]
  return {
    a: { name: basename(folderA), summary: summaryOf(runsA) },
    b: { name: basename(folderB), summary: summaryOf(runsB) },
    differences: {
      auc: differenceOf('auc', a, b),
      gauc: differenceOf('gauc', a, b),
      logloss: differenceOf('logloss', a, b),
    },
    by_item_frequency: bucketPairs('by_item_frequency', runsA, runsB),
    by_history_length: bucketPairs('by_history_length', runsA, runsB),
  }
}

function clickRuns(folder: string): FinishedRun[] {
  requireStage(folder, ['ctr'])
  const runs = findRuns(folder).filter(({ stage }) => stage === 'ctr')
  if (runs.length > 0) return runs
  throw new UserError({
    id: 'runs-missing',
    where: folder,
    what: 'no finished run of mim ctr was found',
    remedy: 'give a run folder of mim ctr, or a folder that contains the runs of one model',
  })
}

type BucketList = 'by_item_frequency' | 'by_history_length'

function bucketPairs(list: BucketList, runsA: FinishedRun[], runsB: FinishedRun[]): BucketPair[] {
  const bucketsOf = (runs: FinishedRun[]) => runs.map(({ metrics }) => metrics[list] as BucketResult[])
  const [a, b] = [bucketsOf(runsA), bucketsOf(runsB)]
  // A bucket with one class has no AUC: null in JSON.
  const meanAuc = (runs: BucketResult[][], i: number) => mean(runs.map((each) => each[i].auc ?? Number.NaN))
  return a[0]
    .map(({ low, high, rows }, i) => ({ low, high, rows, a: meanAuc(a, i), b: meanAuc(b, i) }))
    .filter(({ rows }) => rows > 0)
}
