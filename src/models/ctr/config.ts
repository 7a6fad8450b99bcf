/** Options of click models; the schema of `mim ctr` describes each. */
import type { ActivationName } from '../../nn/norm.js'

export const searchKinds = ['none', 'hard', 'soft'] as const

/** Search of the behaviors that a model sees. */
export interface BehaviorSearch {
  kind: (typeof searchKinds)[number]
  topK: number
  /** Feature of items that a hard search compares. */
  feature: string
}

/** What a click model is built from. */
export interface CtrModelOptions {
  /** Width of an id embedding. */
  dim: number
  /** Hidden layers of the target attention. */
  attention: readonly number[]
  /** Hidden layers of the head. */
  head: readonly number[]
  activation: ActivationName
  batchNorm: boolean
  /** Layers of the cross network in front of the hidden layers. */
  cross: number
  /** Width that content vectors are projected to. */
  contentDim: number
  simTier: boolean
  saTa: boolean
  cube: boolean
  gate: boolean
  /** Learned stand-ins for missing vectors and for the interest of empty histories. */
  defaults: boolean
  /** Heads of SIM's attention. */
  heads: number
  behaviorSearch: BehaviorSearch
  /** Dropout rate of the head. */
  dropout: number
}
