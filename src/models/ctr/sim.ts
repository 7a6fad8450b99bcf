import { multiHeadAttention } from '../../nn/interest.js'
import { linear } from '../../nn/layers.js'
import type { Parameters } from '../../nn/parameters.js'
import { mul } from '../../ops/index.js'
import type { CtrModelConfig } from './config.js'
import type { CtrInputs } from './inputs.js'
import { type Branch, withDefault } from './parts.js'

/**
 * SIM (Pi et al. 2020, arXiv:2006.05639): a general search unit finds the behaviors that bear on the target, an
 * exact one attends to them with several heads. The search is done where batches are laid out (`BehaviorSearch`), so that here
 * the history is what was found: behaviors of the target's own category (hard), or those nearest to it (soft). The
 * paper's soft search compares embeddings learned beside the model; ours compares the frozen content vectors, which
 * are there before a step begins.
 */
export function simBranch(p: Parameters, inputs: CtrInputs, config: CtrModelConfig): Branch {
  const target = inputs.target()
  const behaviors = { history: inputs.history(), target, owner: inputs.owner }
  const { weights, interest: heads } = multiHeadAttention(p.scope('exact'), behaviors, config.heads, config.dim)
  for (const [head, weight] of weights.entries()) inputs.attention[`head ${head + 1}`] = weight
  const found = linear(p.scope('exact.out'), heads, target.shape[1], { std: Math.sqrt(1 / heads.shape[1]) })
  const interest = withDefault(p.scope('empty'), found, inputs.isEmpty(target), config)
  return { parts: [...inputs.impression(), target, interest, mul(interest, target)], interest }
}
