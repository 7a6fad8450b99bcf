import { targetWeights, weightedSum } from '../../nn/interest.js'
import type { Parameters } from '../../nn/parameters.js'
import { concat, mul, reshape } from '../../ops/index.js'
import type { CtrModelOptions } from './config.js'
import type { CtrInputs } from './inputs.js'
import { type Branch, type ClickModel, oneBranch, projection, withDefault } from './parts.js'

export const concatenated: ClickModel = {
  description: 'content vectors concatenated to id embeddings, in one network',
  readsContent: true,
  build: oneBranch('joint', concatBranch),
}

/** The plain use of content: DIN over items that are id embedding and projected vector, concatenated. */
function concatBranch(p: Parameters, inputs: CtrInputs, config: CtrModelOptions): Branch {
  const content = inputs.content()
  const project = projection(p, config)
  const target = concat([inputs.target(), project(content.target.vectors)], 1) // [B, D + contentDim]
  const history = concat([inputs.history(), project(content.history.vectors)], 1) // [N, D + contentDim]
  const behaviors = { history, target, owner: inputs.owner }
  const weights = targetWeights(p.scope('attention'), behaviors, config.attention) // [N, 1]
  inputs.attention['concat'] = reshape(weights, [-1])
  const interest = withDefault(p.scope('empty'), weightedSum(weights, behaviors), inputs.isEmpty(target), config) // [B, D + contentDim]
  return { parts: [...inputs.impression(), target, interest, mul(interest, target)], interest }
}
