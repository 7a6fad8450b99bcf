/** What a click model is made of; the schema of `mim ctr` says what each option does. */
import type { ActivationName } from '../../nn/norm.js'

export const modelNames = ['din', 'sim-hard', 'sim-soft', 'content', 'concat', 'ciubm'] as const
export const searchKinds = ['none', 'hard', 'soft'] as const

/** Which behaviors a model gets to see. */
export interface BehaviorSearch {
  kind: (typeof searchKinds)[number]
  topK: number
  /** Feature of items that a hard search compares. */
  feature: string
}

export interface CtrModelConfig {
  name: (typeof modelNames)[number]
  /** Width of an id embedding. */
  dim: number
  attention: readonly number[]
  head: readonly number[]
  activation: ActivationName
  batchNorm: boolean
  cross: number
  /** Width that content vectors are projected to. */
  contentDim: number
  simTier: boolean
  saTa: boolean
  cube: boolean
  gate: boolean
  defaults: boolean
  heads: number
  behaviorSearch: BehaviorSearch
  dropout: number
}

/** SIM's two models are what they are by their search; the others search as the configuration says. */
export function searchOf({ name, behaviorSearch }: Pick<CtrModelConfig, 'name' | 'behaviorSearch'>): BehaviorSearch {
  if (name === 'sim-hard') return { ...behaviorSearch, kind: 'hard' }
  if (name === 'sim-soft') return { ...behaviorSearch, kind: 'soft' }
  return behaviorSearch
}

/** Whether a model, or the search before it, reads content vectors. */
export function usesContent(model: Pick<CtrModelConfig, 'name' | 'behaviorSearch'>): boolean {
  return !['din', 'sim-hard'].includes(model.name) || searchOf(model).kind === 'soft'
}
