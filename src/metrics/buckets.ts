import type { Labels, Scores } from './columns.js'
import { aucOfGroups } from './gauc.js'
import { lowerBound } from './order.js'

/** Default number of buckets by item frequency or history length. */
export const DEFAULT_BUCKETS = 9

export interface Buckets {
  /** Bucket of each row [n]; bucket 0 has the lowest values. */
  bucketOfRow: Int32Array
  /** Rows in each bucket [count]. */
  rows: Int32Array
  /** Smallest value in each bucket [count]; NaN if it is empty. */
  low: Float64Array
  /** Greatest value in each bucket [count]; NaN if it is empty. */
  high: Float64Array
}

/**
 * Cuts the rows into `count` buckets of equal numbers of *rows* by a value (item frequency, history
 * length), lowest first. Without ties the sizes differ by at most one.
 *
 * Equal values always share a bucket: the one of the middle of their run. So with many ties the
 * sizes differ, and a bucket may stay empty and keep its number (all values equal: all rows are in
 * the middle bucket). Without rows all buckets are empty. Throws on NaN.
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
  /** Exact AUC of the rows in the bucket; NaN if a class is missing. */
  auc: number
}

/** Exact AUC within each of `bucketCount` buckets; an empty one gives { rows: 0, positives: 0, auc: NaN }. */
export function aucByBucket(labels: Labels, scores: Scores, bucketOfRow: Int32Array, bucketCount: number): BucketAuc[] {
  const { rows, positives, auc } = aucOfGroups(labels, scores, bucketOfRow, bucketCount)
  return Array.from(auc, (value, bucket) => ({ rows: rows[bucket], positives: positives[bucket], auc: value }))
}
