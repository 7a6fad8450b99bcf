import { node, type Tensor } from './tensor.js'

/** Rows of `x` [n, …] chosen by `ids` int32 [m, …]; the result is [m, …, …]. */
export function gather(x: Tensor, ids: Tensor): Tensor {
  return node('gather', [x, ids], {}, [...ids.shape, ...x.shape.slice(1)], x.dtype)
}

const segment = (op: 'segmentSum' | 'segmentMax') => (values: Tensor, ids: Tensor, like: Tensor) =>
  node(op, [values, ids, like], {}, [like.shape[0], ...values.shape.slice(ids.shape.length)], values.dtype)

/**
 * Adds the rows of `values` [m, …] that share an id: result row r is the sum over all rows j with
 * `ids[j] = r`. There are as many result rows as `like` has rows. The gradient of `gather`, and the
 * pooling of variable-length lists: behaviors laid end to end, `ids` telling whose each one is.
 */
export const segmentSum = segment('segmentSum')

/** As `segmentSum`, but the greatest of the rows; a segment without rows gives the lowest float. No gradient. */
export const segmentMax = segment('segmentMax')

/** `ids` int32 [...] → float32 [..., depth], one 1 in each row; an id outside [0, depth) gives zeros. */
export function oneHot(ids: Tensor, depth: number): Tensor {
  return node('oneHot', [ids], { depth }, [...ids.shape, depth])
}

/** 0, 1, … int32, as many as `like` has rows. */
export function range(like: Tensor): Tensor {
  return node('range', [like], {}, [like.shape[0]], 'int32')
}
