import { type Behaviors, targetWeights, weightedSum } from '../../nn/interest.js'
import type { Parameters } from '../../nn/parameters.js'
import { add, mul, reshape, type Tensor } from '../../ops/index.js'
import type { CtrModelConfig } from './config.js'
import type { CtrInputs } from './inputs.js'
import { type Branch, withDefault } from './parts.js'

/** What content tells the id branch, if anything: cosines [N], and weights [N] to sum behaviors by. */
export interface ContentHints {
  cosines?: Tensor
  weights?: Tensor
}

/**
 * ID interest: impression features, the target, and DIN's target attention over the history (Zhou et al. 2018,
 * arXiv:1706.06978). Without hints it reads ids only.
 *
 * Hinted cosines s correct the attention: α ← γ₁α + γ₂s + γ₃(α∘s) (SA-TA), plain attention at first. Hinted weights
 * add the sum of id embeddings that content makes of its vectors (CUBE).
 */
export function idBranch(p: Parameters, inputs: CtrInputs, config: CtrModelConfig, hints: ContentHints = {}): Branch {
  const behaviors: Behaviors = { history: inputs.history(), target: inputs.target(), owner: inputs.owner }
  const { target } = behaviors
  const plain = targetWeights(p.scope('attention'), behaviors, config.attention) // [N, 1]
  const weights = hints.cosines ? similarityAware(p.scope('saTa'), plain, hints.cosines) : plain
  inputs.attention['id'] = reshape(weights, [-1])
  const sum = weightedSum(weights, behaviors)
  const interest = withDefault(p.scope('empty'), sum, inputs.isEmpty(target), config)
  const alike = hints.weights ? [weightedSum(hints.weights, behaviors)] : []
  return { parts: [...inputs.impression(), target, interest, mul(interest, target), ...alike], interest }
}

/** γ₁α + γ₂s + γ₃(α∘s) with learned γ, at first (1, 0, 0); α [N, 1], s [N] (SA-TA: MUSE, arXiv:2512.07216). */
function similarityAware(p: Parameters, weights: Tensor, cosines: Tensor): Tensor {
  const s = reshape(cosines, [-1, 1])
  const gamma = (name: string, fill: number) => p.get(name, [], { fill })
  const product = mul(mul(weights, s), gamma('product', 0))
  return add(add(mul(weights, gamma('ids', 1)), mul(s, gamma('similarity', 0))), product)
}
