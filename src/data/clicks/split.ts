import type { RowRange } from '../tables/column.js'
import type { DatasetOptions } from './fit.js'
import type { Impressions } from './read.js'

/** The rows of each part of a data set. */
export interface Split {
  train: RowRange
  valid: RowRange
  test: RowRange
}

/** By the tables of the parts if there are any, else by share in the order of time. */
export function splitOf({ rows, parts }: Impressions, { train, valid }: DatasetOptions['split']): Split {
  // Rounded, because 0.7 + 0.1 is a little less than 0.8.
  const [a, b] = parts ? [parts[0], parts[0] + parts[1]] : [rows * train, rows * (train + valid)].map(Math.round)
  return { train: { from: 0, to: a }, valid: { from: a, to: b }, test: { from: b, to: rows } }
}

/** All impressions are the test part. */
export function toScore({ rows }: Impressions): Split {
  return { train: { from: 0, to: 0 }, valid: { from: 0, to: 0 }, test: { from: 0, to: rows } }
}
