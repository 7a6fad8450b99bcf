import { type Behaviors, targetWeights, weightedSum } from '../../nn/interest.js'
import type { Parameters } from '../../nn/parameters.js'
import { add, mul, reshape, type Tensor } from '../../ops/index.js'
import type { CtrModelOptions } from './config.js'
import type { CtrInputs } from './inputs.js'
import { type Branch, type ClickModel, oneBranch, withDefault } from './parts.js'

export const din: ClickModel = {
  description: 'ids only, target attention (DIN)',
  readsContent: false,
  build: oneBranch('id', idBranch),
}

/** What the id branch learns from content vectors. */
export interface ContentHints {
  /** Cosines of behaviors and targets [N], which correct the attention (SA-TA). */
  cosines?: Tensor
  /** Weights [N] of a further sum of behaviors (CUBE). */
  weights?: Tensor
}

/**
 * Id interest: features of the impression, the target, and the target attention of DIN over the history (Zhou et al.
 * 2018, arXiv:1706.06978). Without hints it reads ids only.
 *
 * With `cosines` s the attention is α ← γ₁α + γ₂s + γ₃(α∘s) (SA-TA), which starts as plain attention. With `weights`
 * there is also the sum of the id embeddings under the weights that content vectors have (CUBE).
 */
export function idBranch(p: Parameters, inputs: CtrInputs, config: CtrModelOptions, hints: ContentHints = {}): Branch {
  const behaviors: Behaviors = { history: inputs.history(), target: inputs.target(), owner: inputs.owner }
  const { target } = behaviors
  const plain = targetWeights(p.scope('attention'), behaviors, config.attention) // [N, 1]
  const weights = hints.cosines ? similarityAware(p.scope('saTa'), plain, hints.cosines) : plain // [N, 1]
  inputs.attention['id'] = reshape(weights, [-1])
  const sum = weightedSum(weights, behaviors) // [B, D]
  const interest = withDefault(p.scope('empty'), sum, inputs.isEmpty(target), config) // [B, D]
  const alike = hints.weights ? [weightedSum(hints.weights, behaviors)] : [] // [B, D]
  return { parts: [...inputs.impression(), target, interest, mul(interest, target), ...alike], interest }
}

/** γ₁α + γ₂s + γ₃(α∘s) with learned γ that start at (1, 0, 0): α [N, 1], s [N] → [N, 1] (SA-TA: MUSE, arXiv:2512.07216). */
function similarityAware(p: Parameters, weights: Tensor, cosines: Tensor): Tensor {
  const s = reshape(cosines, [-1, 1]) // [N, 1]
  const gamma = (name: string, fill: number) => p.get(name, [], { fill })
  const product = mul(mul(weights, s), gamma('product', 0)) // [N, 1]
  return add(add(mul(weights, gamma('ids', 1)), mul(s, gamma('similarity', 0))), product)
}
