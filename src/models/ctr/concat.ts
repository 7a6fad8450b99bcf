import { targetWeights, weightedSum } from '../../nn/interest.js'
import type { Parameters } from '../../nn/parameters.js'
import { concat, mul, reshape } from '../../ops/index.js'
import type { CtrModelConfig } from './config.js'
import type { CtrInputs } from './inputs.js'
import { type Branch, projection, withDefault } from './parts.js'

/**
 * The plain way to use content: DIN whose items are their id embeddings with the projected vector beside them, one
 * attention and one head over both.
 */
export function concatBranch(p: Parameters, inputs: CtrInputs, config: CtrModelConfig): Branch {
  const content = inputs.content()
  const project = projection(p, config)
  const target = concat([inputs.target(), project(content.target.vectors)], 1)
  const history = concat([inputs.history(), project(content.history.vectors)], 1)
  const behaviors = { history, target, owner: inputs.owner }
  const weights = targetWeights(p.scope('attention'), behaviors, config.attention)
  inputs.attention['concat'] = reshape(weights, [-1])
  const interest = withDefault(p.scope('empty'), weightedSum(weights, behaviors), inputs.isEmpty(target), config)
  return { parts: [...inputs.impression(), target, interest, mul(interest, target)], interest }
}
