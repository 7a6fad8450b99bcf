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
 * in `seen` (a number may stand there many times) get one of their own.
 */
export function vocabulary(count: number, seen: Iterable<number>, minCount: number): Vocabulary {
  const counts = new Int32Array(count)
  for (const number of seen) counts[number]++
  const rowOf = new Int32Array(count)
  let size = unknownRow + 1
  for (let number = 0; number < count; number++) rowOf[number] = counts[number] >= minCount ? size++ : unknownRow
  return { rowOf, size }
}

/** Dense numbers for texts, in alphabetical order; −1 for null. */
export function numberTexts(texts: readonly (string | null)[]): { numbers: Int32Array; names: string[] } {
  const names = [...new Set(texts.filter((text) => text !== null))].sort()
  const numberOf = new Map(names.map((name, i) => [name, i]))
  return { numbers: Int32Array.from(texts, (text) => (text === null ? -1 : numberOf.get(text)!)), names }
}
