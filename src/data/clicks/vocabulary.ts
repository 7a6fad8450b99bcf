import { unknownRow } from '../../ops/tableRows.js'

export interface Vocabulary {
  /** Table row of each dense number; `unknownRow` for one that training does not know. */
  rowOf: Int32Array
  /** Rows of the table. */
  size: number
}

/**
 * Rows for dense numbers from 0, of which `counts` tells how often each occurs: only those that occur at least
 * `minCount` times get one of their own.
 */
export function vocabulary(counts: Int32Array, minCount: number): Vocabulary {
  const rowOf = new Int32Array(counts.length)
  let size = unknownRow + 1
  for (let number = 0; number < counts.length; number++) {
    rowOf[number] = counts[number] >= minCount ? size++ : unknownRow
  }
  return { rowOf, size }
}

/** Adds to `counts` how often each number occurs; a negative one is none. */
export function tally(counts: Int32Array, numbers: Int32Array): void {
  for (let i = 0; i < numbers.length; i++) if (numbers[i] >= 0) counts[numbers[i]]++
}
