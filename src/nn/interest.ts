/**
 * What a user's behaviours say about a target. Behaviours of a batch lie end to end: row n of `history`
 * [N, D] belongs to the impression `owner[n]`, int32 [N]; targets are [B, D]. No padding, no masks: an
 * empty history is an impression that owns nothing, and its sums are zero.
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
  reshape,
  segmentMax,
  segmentSum,
  sigmoid,
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

/**
 * DIN's target attention (Zhou et al. 2018, arXiv:1706.06978): a(h, t) [N, 1], a network on
 * [h, t, h − t, h ∘ t]. The weights are not normalised; interest is Σ a(h, t)·h.
 *
 * The first layer never sees that concatenation: W[h, t, h−t, h∘t] = (W₁+W₃)h + (W₂−W₃)t + W₄(h∘t),
 * so three narrower products do, one of them on the targets alone.
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
  const product = mul(history, gather(target, owner)) // [N, D]
  let x: Tensor = add(
    matmul(history, ofHistory, { transposeB: true }),
    matmul(product, ofProduct, { transposeB: true }),
  )
  x = sigmoid(add(x, gather(own, owner)))
  rest.forEach((size, i) => {
    x = sigmoid(linear(p.scope(i + 1), x, size, { std: Math.sqrt(1 / x.shape[1]) }))
  })
  return linear(p.scope('out'), x, 1, { std: Math.sqrt(1 / x.shape[1]) })
}

/** Σ weight·history over the behaviours of each impression: weights [N] or [N, 1] → [B, D]. */
export function weightedSum(weights: Tensor, { history, target, owner }: Behaviors): Tensor {
  return segmentSum(mul(column(weights), history), owner, target)
}

/**
 * Multi-head attention of the target over its history (Vaswani et al. 2017, as in SIM's exact search):
 * softmax of scaled products of projections, the heads side by side. The weights [N] of each head, and [B, D].
 */
export function multiHeadAttention(
  p: Parameters,
  { history, target, owner }: Behaviors,
  heads: number,
  width: number,
): { weights: Tensor[]; interest: Tensor } {
  const project = (name: string, x: Tensor) =>
    linear(p.scope(name), x, width, { bias: false, std: Math.sqrt(1 / x.shape[1]) })
  const everything = cast(greater(owner, -1), 'float32')
  const made = Array.from({ length: heads }, (_, head) => {
    const [query, key] = [project(`${head}.query`, target), project(`${head}.key`, history)]
    const scores = mul(similarities({ history: key, target: query, owner }), 1 / Math.sqrt(width))
    const weights = segmentSoftmax(scores, owner, target, everything)
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

/** softmax of `scores` [N] among the behaviours of each impression; `present` [N] is 0 for those left out. */
export function segmentSoftmax(scores: Tensor, owner: Tensor, like: Tensor, present: Tensor): Tensor {
  const top = stopGradient(segmentMax(scores, owner, like)) // [B]
  const weights = mul(exp(sub(scores, gather(top, owner))), present)
  const total = segmentSum(weights, owner, like)
  // An impression without behaviours has total 0 and no weights.
  return div(weights, add(gather(total, owner), 1e-12))
}

/** Cosines [N] between unit vectors of behaviours [N, d] and of their targets [B, d]. */
export function similarities({ history, target, owner }: Behaviors): Tensor {
  return sum(mul(history, gather(target, owner)), 1)
}

const simTierBins = 20

/**
 * SimTier (Sheng et al. 2024, arXiv:2407.19467): how many behaviours fall in each of 20 tiers of cosine
 * similarity, as log(1 + count), and how many have no vector: [B, 21]. `present` [N] is 1 where both
 * behaviour and target have a vector.
 */
export function simTier(cosines: Tensor, present: Tensor, owner: Tensor, like: Tensor): Tensor {
  const tier = minimum(maximum(floor(mul(add(cosines, 1), simTierBins / 2)), 0), simTierBins - 1)
  const counts = segmentSum(mul(oneHot(cast(tier, 'int32'), simTierBins), column(present)), owner, like)
  const missing = segmentSum(column(sub(1, present)), owner, like)
  return log(add(concat([counts, missing], 1), 1))
}
