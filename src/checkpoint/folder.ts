import type { TokenizerFiles } from '../data/text/tokenizerFiles.js'
import type { DualEncoderConfig } from '../models/config.js'
import type { Preprocessing } from './preprocessing.js'

/** What a checkpoint has of ours. */
export interface MimConfig {
  /** Width of the fused content vector; absent without a fusion head. */
  fusion?: { width: number }
  /** Lengths that content vectors may be cut to, made unit vectors again; absent where nothing was trained for it. */
  matryoshka?: number[]
  /** The stages that the weights went through, the first one first. */
  provenance?: Provenance[]
}

export interface ModelFolder {
  path: string
  /** config.json as it was found; written back unchanged. */
  configJson: Record<string, unknown>
  config: DualEncoderConfig
  preprocessorJson: Record<string, unknown>
  preprocessing: Preprocessing
  tokenizer: TokenizerFiles
  mim: MimConfig
  /** Keys of its files whose numbers are floats. */
  floats: ReadonlySet<string>
}

/** A table that a stage read; rows where they were counted. */
export interface SourceTable {
  table: string
  path: string
  rows?: number
}

/** One stage that weights went through. */
export interface Provenance {
  stage: string
  /** What it started from; null: from scratch. */
  init: string | null
  data: SourceTable[]
  /** SHA-256 of the resolved configuration, which lies in the run folder as config.yaml. */
  config: string
  /** Version of mim, and the git revision of its source where it is a checkout. */
  mim: string
  revision?: string
}
