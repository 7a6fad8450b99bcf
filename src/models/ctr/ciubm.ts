import { type Mode, mlpHead } from '../../nn/mlp.js'
import type { Parameters } from '../../nn/parameters.js'
import { concat, reshape, sigmoid } from '../../ops/index.js'
import type { CtrModelOptions } from './config.js'
import { contentBranch } from './content.js'
import { idBranch } from './din.js'
import type { CtrInputs } from './inputs.js'
import type { Mixed } from './loss.js'
import { branchLogit, type ClickModel, similarityWeights } from './parts.js'

export const ciubm: ClickModel = {
  description: 'a branch for ids and one for content vectors',
  readsContent: true,
  build: twoBranches,
}

/**
 * CiUBM: id interest and content interest have a head each. If one network reads both, ids fit the training clicks
 * first and leave little for content to explain (on the market data that costs 0.01 AUC, and 0.02 on unseen items).
 *
 * SA-TA and CUBE pass the cosines to the id branch. The gate gives the share of the id branch for each impression:
 * σ(network of both interests and of how often training showed the target).
 */
function twoBranches(p: Parameters, inputs: CtrInputs, config: CtrModelOptions, mode: Mode): Mixed {
  const weights = config.cube ? similarityWeights(p.scope('relevance'), inputs) : undefined // [N]
  const cosines = config.saTa ? inputs.relevance().cosines : undefined // [N]
  const [ofIds, ofContent] = [p.scope('id'), p.scope('content')]
  const ids = idBranch(ofIds, inputs, config, { cosines, weights })
  const idLogit = branchLogit(ofIds, ids, config, mode) // [B]
  const content = contentBranch(ofContent, inputs, config, weights)
  const branches = [idLogit, branchLogit(ofContent, content, config, mode)]
  if (!config.gate) return { branches }
  const read = concat([ids.interest, content.interest, inputs.frequency()], 1) // [B, D + contentDim + 1]
  const head = { hidden: config.head.slice(-1), activation: 'relu', batchNorm: false, cross: 0 } as const
  return { branches, share: sigmoid(reshape(mlpHead(p.scope('gate'), read, head, mode), [-1])) }
}
