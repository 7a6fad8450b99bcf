import { node, type Tensor } from './tensor.js'

/** Rows of `x` [n, …] chosen by `ids` int32 [m, …]; the result is [m, …, …]. */
export function gather(x: Tensor, ids: Tensor): Tensor {
  return node('gather', [x, ids], {}, [...ids.shape, ...x.shape.slice(1)], x.dtype)
}

const segment = (op: 'segmentSum' | 'segmentMax') => (values: Tensor, ids: Tensor, like: Tensor) =>
  node(op, [values, ids, like], {}, [like.shape[0], ...values.shape.slice(ids.shape.length)], values.dtype)

/**
 * Adds the rows of `values` [m, …] that share an id: result row r is the sum over all rows j with
 * `ids[j] = r`. The result has as many rows as `like`. It is the gradient of `gather`, and it pools lists of variable
 * length that are concatenated: `ids` gives the list of each row.
 */
export const segmentSum = segment('segmentSum')

/** Like `segmentSum`, but the maximum of the rows; the lowest float32 for a segment without rows. No gradient. */
export const segmentMax = segment('segmentMax')

/** `ids` int32 [...] → float32 [..., depth] with a single 1 in each row; zeros for an id outside [0, depth). */
export function oneHot(ids: Tensor, depth: number): Tensor {
  return node('oneHot', [ids], { depth }, [...ids.shape, depth])
}

/** 0, 1, …, n − 1 as int32 [n], where `like` has n rows. */
export function range(like: Tensor): Tensor {
  return node('range', [like], {}, [like.shape[0]], 'int32')
}
