import { describe, node, positiveAxis, type Tensor } from './tensor.js'

/**
 * Matrix product over the last two dimensions: [..., m, k] × [..., k, n] → [..., m, n]. The leading dimensions must be
 * equal, nothing broadcasts. `transposeA`, `transposeB` transpose an operand first. `exact` computes the product and its
 * gradient in float32, regardless of the precision of the session.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false, exact = false } = {}): Tensor {
  const rank = a.shape.length
  const [m, inner] = transposeA ? [a.shape[rank - 1], a.shape[rank - 2]] : a.shape.slice(-2)
  const [innerB, n] = transposeB ? [b.shape[rank - 1], b.shape[rank - 2]] : b.shape.slice(-2)
  const fits = (x: number, y: number) => x === y || x === -1 || y === -1
  const batch = a.shape.slice(0, -2)
  if (rank < 2 || b.shape.length !== rank || !fits(inner, innerB) || !batch.every((d, i) => fits(d, b.shape[i]))) {
    throw new Error(`matmul: shapes do not fit: ${describe(a)} and ${describe(b)}`)
  }
  return node('matmul', [a, b], { transposeA, transposeB, exact }, [
    ...batch.map((d, i) => Math.max(d, b.shape[i])),
    m,
    n,
  ])
}

const reduce =
  (op: 'sum' | 'mean' | 'max') =>
  (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor => {
    const rank = x.shape.length
    const list = axes === undefined ? x.shape.map((_, i) => i) : typeof axes === 'number' ? [axes] : axes
    const reduced = list.map((axis) => positiveAxis(axis, rank))
    const shape = x.shape
      .map((d, i) => (reduced.includes(i) ? 1 : d))
      .filter((_, i) => keepDims || !reduced.includes(i))
    return node(op, [x], { axes: reduced, keepDims }, shape, x.dtype)
  }

/** Sum over `axes` (default: all). */
export const sum = reduce('sum')
/** Mean over `axes` (default: all). */
export const mean = reduce('mean')
/** Maximum over `axes` (default: all); equal maxima share the gradient. */
export const max = reduce('max')

/** Index of the maximum along `axis`, int32; the first one if several are equal. */
export function argMax(x: Tensor, axis: number): Tensor {
  const at = positiveAxis(axis, x.shape.length)
  return node(
    'argMax',
    [x],
    { axis: at },
    x.shape.filter((_, i) => i !== at),
    'int32',
  )
}

/** Number of elements of `x` that a reduction over `axes` combines into one; a float scalar. */
export function count(x: Tensor, axes: readonly number[]): Tensor {
  return node('count', [x], { axes }, [])
}
