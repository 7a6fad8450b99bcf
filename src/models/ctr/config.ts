/** What a click model is made of; the schema of `mim ctr` says what each option does. */
import type { ActivationName } from '../../nn/norm.js'

export const modelNames = ['din', 'sim-hard', 'sim-soft', 'content', 'concat', 'ciubm'] as const
export const gsuKinds = ['none', 'hard', 'soft'] as const

/** Which behaviours a model gets to see. */
export interface Gsu {
  kind: (typeof gsuKinds)[number]
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
  gsu: Gsu
  dropout: number
}

/** SIM's two models are what they are by their search; the others search as the configuration says. */
export function gsuOf({ name, gsu }: Pick<CtrModelConfig, 'name' | 'gsu'>): Gsu {
  if (name === 'sim-hard') return { ...gsu, kind: 'hard' }
  if (name === 'sim-soft') return { ...gsu, kind: 'soft' }
  return gsu
}

/** Whether a model, or the search before it, reads content vectors. */
export function usesContent(model: Pick<CtrModelConfig, 'name' | 'gsu'>): boolean {
  return !['din', 'sim-hard'].includes(model.name) || gsuOf(model).kind === 'soft'
}
