import { unknownRow } from '../../ops/tableRows.js'

export interface Vocabulary {
  /** Table row of each dense number; `unknownRow` for values that training does not know. */
  rowOf: Int32Array
  /** Rows of the table. */
  size: number
}

/**
 * Assigns table rows to dense numbers from 0. `counts`: occurrences of each; numbers with fewer than `minCount` share
 * `unknownRow`.
 */
export function vocabulary(counts: Int32Array, minCount: number): Vocabulary {
  const rowOf = new Int32Array(counts.length)
  let size = unknownRow + 1
  for (let number = 0; number < counts.length; number++) {
    rowOf[number] = counts[number] >= minCount ? size++ : unknownRow
  }
  return { rowOf, size }
}

/** Adds the occurrences of each number to `counts`; skips negative numbers. */
export function tally(counts: Int32Array, numbers: Int32Array): void {
  for (let i = 0; i < numbers.length; i++) if (numbers[i] >= 0) counts[numbers[i]]++
}
