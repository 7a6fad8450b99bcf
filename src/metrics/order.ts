import type { Scores } from './columns.js'

/** First position from `low` on in ascending `sorted` whose value is not less than `value`; `high` if all are less. */
export function lowerBound(sorted: Scores, value: number, low = 0, high = sorted.length): number {
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle] < value) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Row numbers [n] by ascending value, equal values (−0 = 0) in row order; no value may be NaN.
 *
 * The values are sorted alone, which typed arrays do natively, and each row then looks up its place:
 * several times faster than sorting row numbers with a comparator.
 */
export function ascendingOrder(values: Scores): Uint32Array {
  const sorted = values.slice().sort()
  const placed = new Uint32Array(values.length) // rows placed so far, by first position of their value
  const order = new Uint32Array(values.length)
  for (let row = 0; row < values.length; row++) {
    const first = lowerBound(sorted, values[row])
    order[first + placed[first]++] = row
  }
  return order
}
