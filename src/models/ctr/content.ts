import { segmentSoftmax, similarities, simTier, sumByOwner, weightedSum } from '../../nn/interest.js'
import { linear } from '../../nn/layers.js'
import type { Parameters } from '../../nn/parameters.js'
import { add, cast, div, greater, mul, relu, reshape, sub, type Tensor } from '../../ops/index.js'
import type { CtrModelOptions } from './config.js'
import type { CtrInputs } from './inputs.js'
import {
  type Branch,
  branchLogit,
  type ClickModel,
  projection,
  sharpness,
  similarityWeights,
  withDefault,
} from './parts.js'

const column = (x: Tensor) => reshape(x, [-1, 1])

export const content: ClickModel = {
  description: 'content vectors only',
  readsContent: true,
  build(p, inputs, config, mode) {
    const own = p.scope('content')
    const similarity = config.cube ? similarityWeights(p.scope('relevance'), inputs) : undefined // [N]
    return { branches: [branchLogit(own, contentBranch(own, inputs, config, similarity), config, mode)] }
  },
}

/**
 * Content interest. Its parts are the projected target; the sum of the history under an attention (logit: a learned
 * product of projections plus the cosine); SimTier; and the taste, which a network computes from the mean of the
 * history like the user tower of a two-tower model. `similarity`, weights [N], adds the sum of the history under them
 * (CUBE).
 */
export function contentBranch(p: Parameters, inputs: CtrInputs, config: CtrModelOptions, similarity?: Tensor): Branch {
  const { target, history } = inputs.content()
  const { owner } = inputs
  const width = config.contentDim
  const project = projection(p, config)
  const t = withDefault(p.scope('missing'), project(target.vectors), column(sub(1, target.present)), config) // [B, width]
  const h = project(history.vectors) // [N, width]
  const behaviors = { history: h, target: t, owner }
  const { cosines, both } = inputs.relevance() // [N]
  const query = linear(p.scope('query'), t, width, { bias: false, std: Math.sqrt(1 / width) }) // [B, width]
  const key = linear(p.scope('key'), h, width, { bias: false, std: Math.sqrt(1 / width) }) // [N, width]
  const learned = mul(similarities({ history: key, target: query, owner }), 1 / Math.sqrt(width)) // [N]
  const weights = segmentSoftmax(add(learned, mul(cosines, sharpness(p))), owner, t, both) // [N]
  inputs.attention['content'] = weights
  const counts = sumByOwner(column(both), owner, t) // [B, 1]
  const none = cast(greater(1, counts), 'float32') // [B, 1]
  const interest = withDefault(p.scope('empty'), weightedSum(weights, behaviors), none, config) // [B, width]
  const usual = div(sumByOwner(mul(column(both), h), owner, t), add(counts, 1)) // [B, width]
  const hidden = relu(linear(p.scope('taste.0'), usual, width, { std: Math.sqrt(2 / width) })) // [B, width]
  const taste = linear(p.scope('taste.1'), hidden, width, { std: Math.sqrt(1 / width) }) // [B, width]
  const tiers = config.simTier ? [simTier(cosines, both, owner, t)] : [] // [B, 21]
  const alike = similarity ? [weightedSum(similarity, behaviors)] : []
  const parts = [t, interest, mul(t, interest), mul(t, taste), ...tiers, ...alike, column(target.present)]
  return { parts, interest }
}
