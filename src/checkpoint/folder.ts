import { z } from 'zod'
import type { TokenizerFiles } from '../data/text/tokenizerFiles.js'
import type { DualEncoderConfig } from '../models/config.js'
import type { Preprocessing } from './preprocessing.js'

/** The content of mim.json: what the Hugging Face files of a checkpoint do not describe. */
export interface MimConfig {
  /** Width of the fused content vector; absent without a fusion head. */
  fusion?: { width: number }
  /** Matryoshka dimensions: content vectors may be truncated to them and normalized again; absent if not trained so. */
  matryoshka?: number[]
  /** The stages that trained the weights, in order. */
  provenance?: Provenance[]
}

const provenance: z.ZodType<Provenance> = z.looseObject({
  stage: z.string(),
  init: z.string().nullable(),
  data: z.array(z.looseObject({ table: z.string(), path: z.string(), rows: z.number().optional() })),
  config: z.string(),
  mim: z.string(),
  revision: z.string().optional(),
})

/** The rule of mim.json. */
export const mimConfig: z.ZodType<MimConfig> = z.looseObject({
  fusion: z.looseObject({ width: z.int().positive() }).optional(),
  matryoshka: z.array(z.int().positive()).optional(),
  provenance: z.array(provenance).optional(),
})

export interface ModelFolder {
  path: string
  /** config.json as it was read; written back unchanged. */
  configJson: Record<string, unknown>
  config: DualEncoderConfig
  preprocessorJson: Record<string, unknown>
  preprocessing: Preprocessing
  tokenizer: TokenizerFiles
  mim: MimConfig
  /** Keys with floating-point values in its files, so that 1.0 is written back as 1.0. */
  floats: ReadonlySet<string>
}

/** A table that a stage read; `rows` if they were counted. */
export interface SourceTable {
  table: string
  path: string
  rows?: number
}

/** One stage that trained the weights. */
export interface Provenance {
  stage: string
  /** Checkpoint that it started from; null: from scratch. */
  init: string | null
  data: SourceTable[]
  /** SHA-256 of the resolved configuration, which is config.yaml in the run folder. */
  config: string
  /** Version of mim, and the git revision of its source if it is a checkout. */
  mim: string
  revision?: string
}
