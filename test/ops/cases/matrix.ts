import * as op from '../../../src/ops/index.js'
import type { Case } from '../check.js'
import { type Nd, nd, reduce, sizeOf } from '../reference.js'

export const mean = (xs: number[]) => xs.reduce((a, b) => a + b, 0) / xs.length

const reduction = (name: 'sum' | 'mean' | 'max', f: (xs: number[]) => number): Case[] =>
  (
    [
      [[3, 4], [1], false],
      [[3, 4], [0], true],
      [[2, 3, 4], [1], true],
      [[2, 3, 4], [0, 2], false],
      [[2, 3, 4], [0, 1, 2], false],
      [[1, 1], [0], false],
    ] as const
  ).map(([shape, axes, keepDims]) => ({
    ops: [name, 'broadcastLike', ...(name === 'mean' ? (['count'] as const) : [])],
    name: `${name} of [${shape}] over [${axes}]${keepDims ? ' keeping dims' : ''}`,
    inputs: [{ shape: [...shape] }],
    build: (x) => op[name](x, axes, keepDims),
    reference: (x) => reduce(x, [...axes], keepDims, f),
  }))

/** Of matrices with the same leading dimensions. Plain loops, because finite differences call it thousands of times. */
function product(a: Nd, b: Nd, transposeA: boolean, transposeB: boolean): Nd {
  const [rows, columns] = a.shape.slice(-2)
  const [m, k] = transposeA ? [columns, rows] : [rows, columns]
  const n = b.shape[b.shape.length - (transposeB ? 2 : 1)]
  const shape = [...a.shape.slice(0, -2), m, n]
  const element = (_: unknown, flat: number) => {
    const [batch, i, j] = [Math.floor(flat / (m * n)), Math.floor(flat / n) % m, flat % n]
    let total = 0
    for (let l = 0; l < k; l++) {
      const x = a.data[batch * m * k + (transposeA ? l * m + i : i * k + l)]
      total += x * b.data[batch * k * n + (transposeB ? j * k + l : l * n + j)]
    }
    return total
  }
  return nd(shape, Array.from({ length: sizeOf(shape) }, element))
}

const products: Case[] = [
  { a: [3, 4], b: [4, 5] },
  { a: [4, 3], b: [4, 5], transposeA: true },
  { a: [3, 4], b: [5, 4], transposeB: true },
  { a: [4, 3], b: [5, 4], transposeA: true, transposeB: true },
  { a: [2, 3, 3, 4], b: [2, 3, 4, 2] },
  { a: [5, 4, 3], b: [5, 2, 4], transposeA: true, transposeB: true },
  { a: [1, 1, 7], b: [1, 7, 1] },
  // Sides of one column, and more rows and columns than a tile has.
  { a: [9, 1], b: [9, 3], transposeA: true },
  { a: [9, 3], b: [9, 1], transposeA: true },
  { a: [35, 2], b: [35, 3], transposeA: true },
  { a: [6, 7], b: [7, 1] },
  { a: [6, 9], b: [1, 9], transposeB: true },
  { a: [6, 1], b: [1, 5] },
  { a: [6, 1], b: [5, 1], transposeB: true },
  { a: [2, 6, 1], b: [2, 5, 1], transposeB: true },
  // Fours of columns, tiles of 4 × 8 with some left on either side, and more rows than a block has; see simd.wat.
  { a: [131, 1], b: [131, 4], transposeA: true },
  { a: [130, 8], b: [130, 1], transposeA: true },
  { a: [3, 5], b: [3, 12], transposeA: true },
  { a: [129, 7], b: [129, 8], transposeA: true },
  { a: [2, 3, 34], b: [2, 2, 34], transposeB: true },
].map(({ a, b, transposeA = false, transposeB = false }) => ({
  ops: ['matmul'],
  name: `matmul [${a}]${transposeA ? 'ᵀ' : ''} × [${b}]${transposeB ? 'ᵀ' : ''}`,
  inputs: [{ shape: a }, { shape: b }],
  build: (x, y) => op.matmul(x, y, { transposeA, transposeB }),
  reference: (x, y) => product(x, y, transposeA, transposeB),
}))

export const matrices: Case[] = [
  ...reduction('sum', (xs) => xs.reduce((a, b) => a + b, 0)),
  ...reduction('mean', mean),
  ...reduction('max', (xs) => Math.max(...xs)),
  ...products,
  {
    ops: ['argMax'],
    name: 'argMax, the first of equals',
    inputs: [{ shape: [3, 4], data: [1, 5, 5, 0, -1, -2, -3, -4, 0, 0, 0, 9] }],
    build: (x) => op.cast(op.argMax(x, 1), 'float32'),
    reference: () => nd([3], [1, 0, 3]),
    differentiate: [],
  },
  {
    ops: ['argMax'],
    name: 'argMax of whole numbers',
    inputs: [{ shape: [2, 3], dtype: 'int32', data: [0, 1, 1, 1, 0, 0] }],
    build: (x) => op.cast(op.argMax(x, -1), 'float32'),
    reference: () => nd([2], [1, 0]),
  },
]
