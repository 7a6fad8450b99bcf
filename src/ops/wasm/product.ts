/** The matrix product of two tensors in the heap, by the kernel that is fastest for its shape. */
import * as tf from '@tensorflow/tfjs-core'
import type { HeapTensors } from './heap.js'

/** Largest result, in numbers, for which `Simd.productOfColumns` is faster than a transposition and a product. */
const smallProduct = 2 ** 13

/** a b over the last two dimensions, with either operand transposed if asked; the leading dimensions are equal. */
export function product(
  tensors: HeapTensors,
  a: tf.Tensor,
  b: tf.Tensor,
  transposeA: boolean,
  transposeB: boolean,
): tf.Tensor {
  const { multiply, simd, view, address, make } = tensors
  const made = transposeA && !transposeB && productOfColumns(tensors, a, b)
  if (made) return made
  // One column times one row: a factor for every row.
  if (!transposeA && a.shape[a.rank - 1] === 1) {
    return transposeB ? tf.tidy(() => tf.mul(a, turned(tensors, b))) : tf.mul(a, b)
  }
  const left = transposeA ? turned(tensors, a) : a
  const right = transposeB ? turned(tensors, b) : b
  const [m, k] = left.shape.slice(-2)
  const [n] = right.shape.slice(-1)
  const out = make([...left.shape.slice(0, -1), n])
  const batch = out.size / (m * n)
  if (k === 0) view(out).fill(0)
  else if (n === 1 && batch === 1) simd.productOfRows(address(left), address(right), address(out), m, k)
  else if (out.size > 0) {
    multiply({ batch, m, k, n, left: address(left), right: address(right), out: address(out) })
  }
  if (left !== a) left.dispose()
  if (right !== b) right.dispose()
  return out
}

/** The transposed matrices, as a new tensor. */
function turned({ simd, address, make }: HeapTensors, x: tf.Tensor): tf.Tensor {
  const [rows, columns] = x.shape.slice(-2)
  // A single row or column has the same layout transposed.
  if (rows === 1 || columns === 1) return tf.reshape(x, [...x.shape.slice(0, -2), columns, rows])
  const out = make([...x.shape.slice(0, -2), columns, rows])
  if (out.size > 0) simd.turn(address(x), address(out), out.size / (rows * columns), rows, columns)
  return out
}

/** aᵀ b by `Simd.productOfColumns`; undefined if that is slower or does not apply. */
function productOfColumns({ simd, view, address, make }: HeapTensors, a: tf.Tensor, b: tf.Tensor) {
  const [[k, m], [n]] = [a.shape.slice(-2), b.shape.slice(-1)]
  if (a.rank > 2 || m * n > smallProduct) return undefined
  // With a single column the transposed result has the same layout.
  const [left, right, width] = n === 1 ? [b, a, m] : [a, b, n]
  if (width % 4 !== 0) return undefined
  const out = make([m, n])
  view(out).fill(0)
  simd.productOfColumns(address(left), address(right), address(out), k, (m * n) / width, width)
  return out
}
