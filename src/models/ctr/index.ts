/** The click models. */
import type { Mode } from '../../nn/mlp.js'
import type { Parameters } from '../../nn/parameters.js'
import { ciubm } from './ciubm.js'
import { concatenated } from './concat.js'
import type { BehaviorSearch, CtrModelOptions } from './config.js'
import { content } from './content.js'
import { din } from './din.js'
import type { CtrInputs } from './inputs.js'
import type { Mixed } from './loss.js'
import type { ClickModel } from './parts.js'
import { simHard, simSoft } from './sim.js'

export * from './config.js'
export * from './inputs.js'
export * from './loss.js'

/**
 * All click models by the name that `model.name` selects. To add one:
 * 1. Write a file in this folder that exports a `ClickModel` (`concat.ts` is a short example): a one-line description
 *    for the help, whether it reads content vectors, its search if that is fixed, and the function that builds it.
 * 2. Add it to this list. Configuration, help, loading of data, export and test/models/ctr.test.ts follow from the list.
 * Options of its own go to `CtrModelOptions` and, with default and description, to `model` in src/config/ctr.ts.
 */
const clickModels = {
  din,
  'sim-hard': simHard,
  'sim-soft': simSoft,
  content,
  concat: concatenated,
  ciubm,
} satisfies Record<string, ClickModel>

export type ModelName = keyof typeof clickModels

export interface CtrModelConfig extends CtrModelOptions {
  name: ModelName
}

export const modelNames = Object.keys(clickModels) as [ModelName, ...ModelName[]]

/** `name: description` of every model, for the help. */
export const modelDescriptions = Object.entries(clickModels)
  .map(([name, { description }]) => `${name}: ${description}`)
  .join('; ')

/** Builds the model `config.name`: the logits of its branches, and how they are mixed. */
export function ctrModel(p: Parameters, inputs: CtrInputs, config: CtrModelConfig, mode: Mode): Mixed {
  return clickModels[config.name].build(p, inputs, config, mode)
}

type Chosen = Pick<CtrModelConfig, 'name' | 'behaviorSearch'>

/** The search before a model: the one that defines it, else the configured one. */
export function searchOf({ name, behaviorSearch }: Chosen): BehaviorSearch {
  const { search }: ClickModel = clickModels[name]
  return search ? { ...behaviorSearch, kind: search } : behaviorSearch
}

/** Whether a model, or the search before it, reads content vectors. */
export function usesContent(model: Chosen): boolean {
  return clickModels[model.name].readsContent || searchOf(model).kind === 'soft'
}
