import type { NumericArray } from './growing.js'

/** Rows `rows` of a matrix of `width` columns. */
export function takeRows<T extends NumericArray>(matrix: T, width: number, rows: ArrayLike<number>): T {
  const out = new (matrix.constructor as new (length: number) => T)(rows.length * width) as T & Int32Array
  if (width === 1) {
    for (let k = 0; k < rows.length; k++) out[k] = matrix[rows[k]] as number
    return out
  }
  for (let k = 0; k < rows.length; k++)
    out.set((matrix as Int32Array).subarray(rows[k] * width, (rows[k] + 1) * width), k * width)
  return out
}

/** Matrices of equal width, stacked row-wise. */
export function joinRows<T extends Float32Array | Int32Array>(parts: readonly T[]): T {
  const length = parts.reduce((n, part) => n + part.length, 0)
  const out = new (parts[0].constructor as new (length: number) => T)(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** The numbers 0 to `count` - 1; `Int32Array.from` of an iterator takes several times the memory. */
export function upTo(count: number): Int32Array {
  const numbers = new Int32Array(count)
  for (let i = 0; i < count; i++) numbers[i] = i
  return numbers
}
