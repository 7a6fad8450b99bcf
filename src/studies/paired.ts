/** Means over the runs of a click model, one per seed, and differences between two models. */
import { join } from 'node:path'
import { UserError } from '../base/errors.js'
import { openTable } from '../data/tables/contract.js'
import { Database } from '../data/tables/duckdb.js'
import { fileRowColumn } from '../data/tables/source.js'
import { type Difference, pairedDifference, type ResampledMetric } from '../metrics/index.js'
import { type ComparedMetric, comparedMetrics } from '../report/index.js'

export const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

/** Sample standard deviation; 0 for a single value. */
export function deviation(values: readonly number[]): number {
  const center = mean(values)
  return Math.sqrt(values.reduce((total, x) => total + (x - center) ** 2, 0) / Math.max(1, values.length - 1))
}

/** Means over seeds and, as `…_sd`, sample standard deviations; NaN for a metric that a run lacks. */
export type Summary = { seeds: number } & Record<ComparedMetric | `${ComparedMetric}_sd`, number>

export function summaryOf(runs: readonly { metrics: Record<string, unknown> }[]): Summary {
  const valuesOf = (name: string) => runs.map(({ metrics }) => Number(metrics[name] ?? Number.NaN))
  const numbers = comparedMetrics.flatMap((name) => [
    [name, mean(valuesOf(name))],
    [`${name}_sd`, deviation(valuesOf(name))],
  ])
  return { seeds: runs.length, ...Object.fromEntries(numbers) }
}

/** Labels, users and, for each seed, the scores of the test period. */
export interface Predictions {
  label: string
  labels: Uint8Array
  users: Int32Array
  scores: Float32Array[]
}

/**
 * The predictions in the run folders of one model.
 * @throws UserError `runs-differ` if they are of different impressions, and those of `openTable`.
 */
export async function readPredictions(label: string, folders: readonly string[]): Promise<Predictions> {
  using db = await Database.open()
  const read = []
  for (const folder of folders) {
    const rules = { label: { type: 'label' }, probability: { type: 'number' }, user_id: { type: 'any' } } as const
    const { placed } = await openTable(db, join(folder, 'predictions.parquet'), rules)
    read.push(
      await db.columns(
        `SELECT label, dense_rank() OVER (ORDER BY user_id) - 1 AS usr, probability FROM ${placed} ORDER BY ${fileRowColumn}`,
        { label: 'uint8', usr: 'int32', probability: 'float32' },
      ),
    )
  }
  const [{ label: labels, usr: users }] = read
  const result = { label, labels, users, scores: read.map(({ probability }) => probability) }
  for (const other of read.slice(1)) checkSame(result, { ...result, labels: other.label, users: other.usr })
  return result
}

function checkSame(a: Predictions, b: Predictions): void {
  const equal = (x: Uint8Array | Int32Array, y: Uint8Array | Int32Array) =>
    x.length === y.length && x.every((value, i) => value === y[i])
  if (equal(a.labels, b.labels) && equal(a.users, b.users)) return
  throw new UserError({
    id: 'runs-differ',
    what: `${a.label} and ${b.label} have different test impressions`,
    remedy: 'compare runs on the same data and split',
  })
}

/**
 * Metric of A minus metric of B, means over seeds, with a 95 % interval over users.
 * @throws UserError `runs-differ`
 */
export function differenceOf(metric: ResampledMetric, a: Predictions, b: Predictions): Difference {
  checkSame(a, b)
  return pairedDifference(metric, a.labels, a.scores, b.scores, a.users)
}
