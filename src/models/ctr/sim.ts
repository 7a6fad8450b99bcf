import { multiHeadAttention } from '../../nn/interest.js'
import { linear } from '../../nn/layers.js'
import type { Parameters } from '../../nn/parameters.js'
import { mul } from '../../ops/index.js'
import type { CtrModelOptions } from './config.js'
import type { CtrInputs } from './inputs.js'
import { type Branch, type ClickModel, oneBranch, withDefault } from './parts.js'

export const simHard: ClickModel = {
  description: 'ids of the behaviors in the category of the target, several heads (SIM)',
  readsContent: false,
  search: 'hard',
  build: oneBranch('id', simBranch),
}

export const simSoft: ClickModel = {
  ...simHard,
  description: 'ids of the behaviors nearest to the target by content vectors, several heads (SIM)',
  search: 'soft',
}

/**
 * SIM (Pi et al. 2020, arXiv:2006.05639): a general search unit finds the behaviors that are relevant to the target,
 * and an exact unit attends to them with several heads. The search runs when a batch is built (`BehaviorSearch`), so
 * the history here is its result: behaviors of the category of the target (hard), or the nearest ones (soft). The soft
 * search of the paper compares embeddings trained together with the model; ours compares the frozen content vectors,
 * which are known before a step begins.
 */
function simBranch(p: Parameters, inputs: CtrInputs, config: CtrModelOptions): Branch {
  const target = inputs.target()
  const behaviors = { history: inputs.history(), target, owner: inputs.owner }
  const { weights, interest: heads } = multiHeadAttention(p.scope('exact'), behaviors, config.heads, config.dim)
  for (const [head, weight] of weights.entries()) inputs.attention[`head ${head + 1}`] = weight
  const found = linear(p.scope('exact.out'), heads, target.shape[1], { std: Math.sqrt(1 / heads.shape[1]) })
  const interest = withDefault(p.scope('empty'), found, inputs.isEmpty(target), config)
  return { parts: [...inputs.impression(), target, interest, mul(interest, target)], interest }
}
