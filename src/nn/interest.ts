/**
 * Interest of a user's behaviors in a target. The behaviors of a batch are concatenated: row n of `history` [N, D]
 * belongs to impression `owner[n]` − 1, int32 [N]; targets are [B, D]. There are no masks: an impression with an empty
 * history owns no rows, and its sums are zero. Rows with owner 0 are padding and count nowhere.
 */
import {
  add,
  cast,
  concat,
  div,
  exp,
  floor,
  gather,
  greater,
  log,
  matmul,
  maximum,
  minimum,
  mul,
  oneHot,
  pad,
  reshape,
  segmentMax,
  segmentSum,
  sigmoid,
  slice,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '../ops/index.js'
import { linear } from './layers.js'
import type { Parameters } from './parameters.js'

export interface Behaviors {
  history: Tensor
  target: Tensor
  owner: Tensor
}

const column = (x: Tensor) => reshape(x, [-1, 1])

/** 1 along the first dimension and 0 along the others. */
const oneRow = ({ shape }: Tensor) => shape.map((_, axis) => Number(axis === 0))
/** `x` [B, …] with a row of zeros in front, for padding: [B + 1, …]. */
const withPadding = (x: Tensor) => pad(x, oneRow(x), new Array<number>(x.shape.length).fill(0))
const withoutPadding = (x: Tensor) => slice(x, oneRow(x), new Array<number>(x.shape.length).fill(-1))

/** The row of `x` [B, …] of the owner of each behavior: [N, …]; zeros for padding. */
export const ofOwners = (x: Tensor, owner: Tensor): Tensor => gather(withPadding(x), owner)

/** Sums of `values` [N, …] over the behaviors of each impression: [B, …]; `like` has B rows. */
export const sumByOwner = (values: Tensor, owner: Tensor, like: Tensor): Tensor =>
  withoutPadding(segmentSum(values, owner, withPadding(like)))

/**
 * Target attention of DIN (Zhou et al. 2018, arXiv:1706.06978): weights a(h, t) [N, 1], a network on
 * [h, t, h − t, h ∘ t] with layers of the sizes `hidden`. They are not normalized; interest is Σ a(h, t)·h.
 *
 * The first layer does not build that concatenation: W[h, t, h−t, h∘t] = (W₁+W₃)h + (W₂−W₃)t + W₄(h∘t),
 * so three narrower products are enough, one of them on the targets only.
 */
export function targetWeights(p: Parameters, { history, target, owner }: Behaviors, hidden: readonly number[]): Tensor {
  const width = target.shape[1]
  const [first, ...rest] = hidden
  const layer = p.scope('0')
  const std = Math.sqrt(1 / (2 * width))
  const ofHistory = layer.get('history.weight', [first, width], { std })
  const ofTarget = layer.get('target.weight', [first, width], { std })
  const ofProduct = layer.get('product.weight', [first, width], { std })
  const own = add(matmul(target, ofTarget, { transposeB: true }), layer.get('bias', [first], { fill: 0 })) // [B, first]
  const product = mul(history, ofOwners(target, owner)) // [N, D]
  let x: Tensor = add(
    matmul(history, ofHistory, { transposeB: true }),
    matmul(product, ofProduct, { transposeB: true }),
  ) // [N, first]
  x = sigmoid(add(x, ofOwners(own, owner)))
  rest.forEach((size, i) => {
    x = sigmoid(linear(p.scope(i + 1), x, size, { std: Math.sqrt(1 / x.shape[1]) }))
  })
  return linear(p.scope('out'), x, 1, { std: Math.sqrt(1 / x.shape[1]) }) // [N, 1]
}

/** Σ weight·history over the behaviors of each impression, for weights [N] or [N, 1]: [B, D]. */
export function weightedSum(weights: Tensor, { history, target, owner }: Behaviors): Tensor {
  return sumByOwner(mul(column(weights), history), owner, target)
}

/**
 * Multi-head attention of the target over its history (Vaswani et al. 2017, arXiv:1706.03762; the exact search unit of
 * SIM): softmax of scaled products of projections to `width`. Returns the weights [N] of each head and the concatenated
 * heads [B, heads · width].
 */
export function multiHeadAttention(
  p: Parameters,
  { history, target, owner }: Behaviors,
  heads: number,
  width: number,
): { weights: Tensor[]; interest: Tensor } {
  const project = (name: string, x: Tensor) =>
    linear(p.scope(name), x, width, { bias: false, std: Math.sqrt(1 / x.shape[1]) })
  const present = cast(greater(owner, 0), 'float32') // [N]
  const made = Array.from({ length: heads }, (_, head) => {
    const [query, key] = [project(`${head}.query`, target), project(`${head}.key`, history)]
    const scores = mul(similarities({ history: key, target: query, owner }), 1 / Math.sqrt(width)) // [N]
    const weights = segmentSoftmax(scores, owner, target, present)
    const values = project(`${head}.value`, history)
    return { weights, interest: weightedSum(weights, { history: values, target, owner }) }
  })
  return {
    weights: made.map(({ weights }) => weights),
    interest: concat(
      made.map(({ interest }) => interest),
      1,
    ),
  }
}

/**
 * softmax of `scores` [N] over the behaviors of each impression: [N]. `present` [N] is 0 for behaviors to leave out;
 * `like` has a row for each impression.
 */
export function segmentSoftmax(scores: Tensor, owner: Tensor, like: Tensor, present: Tensor): Tensor {
  const top = stopGradient(withoutPadding(segmentMax(scores, owner, withPadding(like)))) // [B]
  const weights = mul(exp(sub(scores, ofOwners(top, owner))), present) // [N]
  const total = sumByOwner(weights, owner, like) // [B]
  // An impression without behaviors has total 0 and no weights.
  return div(weights, add(ofOwners(total, owner), 1e-12))
}

/** Cosines [N] between unit vectors of behaviors [N, d] and of their targets [B, d]. */
export function similarities({ history, target, owner }: Behaviors): Tensor {
  return sum(mul(history, ofOwners(target, owner)), 1)
}

const simTierBins = 20

/**
 * SimTier (Sheng et al. 2024, arXiv:2407.19467): log(1 + count) of the behaviors in each of 20 tiers of cosine
 * similarity, and of those without a vector: [B, 21]. `present` [N] is 1 if both behavior and target have a vector.
 */
export function simTier(cosines: Tensor, present: Tensor, owner: Tensor, like: Tensor): Tensor {
  const tier = minimum(maximum(floor(mul(add(cosines, 1), simTierBins / 2)), 0), simTierBins - 1) // [N]
  const counts = sumByOwner(mul(oneHot(cast(tier, 'int32'), simTierBins), column(present)), owner, like) // [B, 20]
  const missing = sumByOwner(column(sub(1, present)), owner, like) // [B, 1]
  return log(add(concat([counts, missing], 1), 1))
}
