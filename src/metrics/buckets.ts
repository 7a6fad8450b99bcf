import type { Labels, Scores } from './columns.js'
import { aucOfGroups } from './gauc.js'
import { lowerBound } from './order.js'

/** The usual cut of a test set by item frequency or history length. */
export const DEFAULT_BUCKETS = 9

export interface Buckets {
  /** Bucket of each row [n], 0 holding the lowest values. */
  bucketOfRow: Int32Array
  /** Rows in each bucket [count]. */
  rows: Int32Array
  /** Least value in each bucket [count]; NaN in an empty one. */
  low: Float64Array
  /** Greatest value in each bucket [count]; NaN in an empty one. */
  high: Float64Array
}

/**
 * Cuts the rows into `count` buckets of equal numbers of *rows* by a value (item frequency, history
 * length), lowest first. Without ties the sizes differ by at most one.
 *
 * Equal values always share a bucket: the one in which the middle of their stretch falls. So with
 * many ties the sizes differ, and a bucket whose whole stretch belongs to a neighbor stays empty,
 * keeping its number (all values equal: everything is in the middle bucket). Without rows all
 * buckets are empty. Throws on NaN.
 */
export function buckets(values: ArrayLike<number>, count = DEFAULT_BUCKETS): Buckets {
  if (!Number.isInteger(count) || count < 1) throw new Error(`bucket count ${count}; expected an integer from 1`)
  const sorted = Float64Array.from(values).sort()
  const n = sorted.length
  if (Number.isNaN(sorted[n - 1])) throw new Error('a bucketed value is NaN; expected numbers') // NaN sorts last

  const rows = new Int32Array(count)
  const low = new Float64Array(count).fill(Number.NaN)
  const high = new Float64Array(count).fill(Number.NaN)
  const bucketAt = new Int32Array(n) // by first position of a value
  for (let start = 0; start < n; ) {
    let end = start + 1
    while (end < n && sorted[end] === sorted[start]) end++
    const bucket = Math.floor(((start + end - 1) * count) / (2 * n))
    bucketAt[start] = bucket
    if (rows[bucket] === 0) low[bucket] = sorted[start]
    high[bucket] = sorted[start]
    rows[bucket] += end - start
    start = end
  }

  const bucketOfRow = new Int32Array(n)
  for (let row = 0; row < n; row++) bucketOfRow[row] = bucketAt[lowerBound(sorted, values[row])]
  return { bucketOfRow, rows, low, high }
}

export interface BucketAuc {
  rows: number
  positives: number
  /** Exact AUC among the bucket's rows; NaN where a class is missing. */
  auc: number
}

/** Exact AUC inside each of `bucketCount` buckets, also of the empty ones: { rows: 0, positives: 0, auc: NaN }. */
export function aucByBucket(labels: Labels, scores: Scores, bucketOfRow: Int32Array, bucketCount: number): BucketAuc[] {
  const { rows, positives, auc } = aucOfGroups(labels, scores, bucketOfRow, bucketCount)
  return Array.from(auc, (value, bucket) => ({ rows: rows[bucket], positives: positives[bucket], auc: value }))
}
