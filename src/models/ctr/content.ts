import { segmentSoftmax, similarities, simTier, sumByOwner, weightedSum } from '../../nn/interest.js'
import { linear } from '../../nn/layers.js'
import type { Parameters } from '../../nn/parameters.js'
import { add, cast, div, greater, mul, relu, reshape, sub, type Tensor } from '../../ops/index.js'
import type { CtrModelConfig } from './config.js'
import type { CtrInputs } from './inputs.js'
import { type Branch, projection, sharpness, withDefault } from './parts.js'

const column = (x: Tensor) => reshape(x, [-1, 1])

/**
 * Content interest: the projected target, the history under an attention whose logit is a learned product of
 * projections plus the cosine itself, SimTier, and the taste that a network makes of the history's mean, as the user
 * side of a two-tower model does. With `similarity`, weights [N], also the sum under these (CUBE).
 */
export function contentBranch(p: Parameters, inputs: CtrInputs, config: CtrModelConfig, similarity?: Tensor): Branch {
  const { target, history } = inputs.content()
  const { owner } = inputs
  const width = config.contentDim
  const project = projection(p, config)
  const t = withDefault(p.scope('missing'), project(target.vectors), column(sub(1, target.present)), config)
  const h = project(history.vectors) // [N, width]
  const behaviors = { history: h, target: t, owner }
  const { cosines, both } = inputs.relevance() // [N]
  const query = linear(p.scope('query'), t, width, { bias: false, std: Math.sqrt(1 / width) })
  const key = linear(p.scope('key'), h, width, { bias: false, std: Math.sqrt(1 / width) })
  const learned = mul(similarities({ history: key, target: query, owner }), 1 / Math.sqrt(width))
  const weights = segmentSoftmax(add(learned, mul(cosines, sharpness(p))), owner, t, both)
  inputs.attention['content'] = weights
  const counts = sumByOwner(column(both), owner, t) // [B, 1]
  const none = cast(greater(1, counts), 'float32')
  const interest = withDefault(p.scope('empty'), weightedSum(weights, behaviors), none, config) // [B, width]
  const usual = div(sumByOwner(mul(column(both), h), owner, t), add(counts, 1)) // [B, width]
  const hidden = relu(linear(p.scope('taste.0'), usual, width, { std: Math.sqrt(2 / width) }))
  const taste = linear(p.scope('taste.1'), hidden, width, { std: Math.sqrt(1 / width) })
  const tiers = config.simTier ? [simTier(cosines, both, owner, t)] : []
  const alike = similarity ? [weightedSum(similarity, behaviors)] : []
  const parts = [t, interest, mul(t, interest), mul(t, taste), ...tiers, ...alike, column(target.present)]
  return { parts, interest }
}
