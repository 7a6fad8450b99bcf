/** Click models, a page each. */
import type { Mode } from '../../nn/mlp.js'
import type { Parameters } from '../../nn/parameters.js'
import { ciubm } from './ciubm.js'
import { concatBranch } from './concat.js'
import type { CtrModelConfig } from './config.js'
import { contentBranch } from './content.js'
import { idBranch } from './din.js'
import type { CtrInputs } from './inputs.js'
import type { Mixed } from './loss.js'
import { type Branch, branchLogit, similarityWeights } from './parts.js'
import { simBranch } from './sim.js'

export * from './config.js'
export * from './inputs.js'
export * from './loss.js'

/** The model that `config` names: the logits of its branches, and how they are mixed. */
export function ctrModel(p: Parameters, inputs: CtrInputs, config: CtrModelConfig, mode: Mode): Mixed {
  const alone = (scope: Parameters, branch: Branch): Mixed => ({
    branches: [branchLogit(scope, branch, config, mode)],
  })
  const ids = p.scope('id')
  const sim = () => alone(ids, simBranch(ids, inputs, config))
  const models = {
    din: () => alone(ids, idBranch(ids, inputs, config)),
    'sim-hard': sim,
    'sim-soft': sim,
    content: () => alone(p.scope('content'), contentAlone(p, inputs, config)),
    concat: () => alone(p.scope('joint'), concatBranch(p.scope('joint'), inputs, config)),
    ciubm: () => ciubm(p, inputs, config, mode),
  }
  return models[config.name]()
}

function contentAlone(p: Parameters, inputs: CtrInputs, config: CtrModelConfig): Branch {
  const similarity = config.cube ? similarityWeights(p.scope('relevance'), inputs) : undefined
  return contentBranch(p.scope('content'), inputs, config, similarity)
}
