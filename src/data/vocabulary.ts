/** Values of a feature as rows of its embedding table. */

/** Row of padding: its embedding is and stays zero. */
export const paddingRow = 0
/** Row that stands for everything unknown: unseen ids, missing values. */
export const unknownRow = 1

export interface Vocabulary {
  /** Table row of each dense number; `unknownRow` for one that training does not know. */
  rowOf: Int32Array
  /** Rows of the table. */
  size: number
}

/**
 * Rows for the dense numbers 0 … `count`−1, of which only those that occur at least `minCount` times
 * in the lists of `seen` (a number may stand there many times; a negative one is none) get one of their own.
 */
export function vocabulary(count: number, seen: readonly Int32Array[], minCount: number): Vocabulary {
  const counts = new Int32Array(count)
  for (const numbers of seen) for (const number of numbers) if (number >= 0) counts[number]++
  const rowOf = new Int32Array(count)
  let size = unknownRow + 1
  for (let number = 0; number < count; number++) rowOf[number] = counts[number] >= minCount ? size++ : unknownRow
  return { rowOf, size }
}
