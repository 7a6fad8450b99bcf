/** Reads and writes `config.json` of Hugging Face dual encoders; keys that a file lacks have the defaults of transformers. */
import { z } from 'zod'
import { UserError } from '../base/errors.js'
import { valueAt } from '../base/ownFile.js'
import type { TransformerShape } from '../nn/transformer.js'

export interface VisionConfig extends TransformerShape {
  width: number
  /** Side of a picture, in pixels. */
  imageSize: number
  /** Side of a patch, in pixels. */
  patch: number
}

export interface TextConfig extends TransformerShape {
  width: number
  vocabulary: number
  /** Rows of the position table: the maximum length of a text, in tokens. */
  positions: number
  /** Rows of the token type table, which only BERT has. */
  tokenTypes: number
  padToken: number
  endToken: number
}

export interface DualEncoderConfig {
  architecture: Architecture
  vision: VisionConfig
  text: TextConfig
  /** Width of the features of both towers. */
  projection: number
  /** Initial logarithm of the logit scale (the factor on cosines). */
  logitScale: number
}

/**
 * Largest sizes of a model: far above what is published, so that a spoilt file is refused at once instead of taking all
 * memory. What fits into the memory of this machine is checked later.
 */
const size = (most: number) => z.int().positive().max(most)
const [mostWide, mostLayers, mostSide, mostTokens] = [2 ** 16, 1024, 4096, 8192]
const mostHidden = 4 * mostWide
const mostWords = 2 ** 24

/** Keys of all towers, with the defaults of base-size models. */
const tower = (hidden: number, layers: number, heads: number, inner: number, activation: string, epsilon: number) => ({
  hidden_size: size(mostWide).default(hidden),
  num_hidden_layers: size(mostLayers).default(layers),
  num_attention_heads: size(mostLayers).default(heads),
  intermediate_size: size(mostHidden).default(inner),
  hidden_act: z.enum(['gelu', 'quick_gelu', 'gelu_pytorch_tanh', 'relu']).default(activation as 'gelu'),
  layer_norm_eps: z.number().positive().default(epsilon),
})

const vision = (patch: number, activation: string, epsilon: number) =>
  z.looseObject({
    ...tower(768, 12, 12, 3072, activation, epsilon),
    image_size: size(mostSide).default(224),
    patch_size: size(mostSide).default(patch),
    num_channels: z.literal(3).default(3),
  })

const text = (base: ReturnType<typeof tower>, vocabulary: number, positions: number, pad: number, end: number | null) =>
  z.looseObject({
    ...base,
    vocab_size: size(mostWords).default(vocabulary),
    max_position_embeddings: size(mostTokens).default(positions),
    pad_token_id: z.int().nullable().default(pad),
    eos_token_id: z.int().nullable().default(end),
    type_vocab_size: size(mostWords).default(2),
    projection_size: size(mostWide).nullable().default(null),
  })

const common = { projection_dim: size(mostWide).default(512), logit_scale_init_value: z.number().default(2.6592) }

/**
 * The encoders by their `model_type`, with the schema of config.json; defaults as in the configuration classes of
 * transformers. To add an encoder:
 * 1. Write a file in this folder with its towers: picture features, text features, and which tokens are words
 *    (`chineseClip.ts` is a short example). Parameters have the names of its Hugging Face checkpoints.
 * 2. Add its schema here, its towers in `dualEncoder.ts`, and the defaults of its picture processor in
 *    src/checkpoint/preprocessing.ts; the compiler reports a missing one.
 */
const schemas = {
  clip: z.looseObject({
    ...common,
    vision_config: vision(32, 'quick_gelu', 1e-5).prefault({}),
    text_config: text(tower(512, 12, 8, 2048, 'quick_gelu', 1e-5), 49408, 77, 1, 49407).prefault({}),
  }),
  chinese_clip: z.looseObject({
    ...common,
    vision_config: vision(32, 'quick_gelu', 1e-5).prefault({}),
    text_config: text(tower(768, 12, 12, 3072, 'gelu', 1e-12), 30522, 512, 0, null).prefault({}),
  }),
  siglip: z.looseObject({
    vision_config: vision(16, 'gelu_pytorch_tanh', 1e-6)
      .extend({ vision_use_head: z.literal(true).default(true) })
      .prefault({}),
    text_config: text(tower(768, 12, 12, 3072, 'gelu_pytorch_tanh', 1e-6), 32000, 64, 1, 49407).prefault({}),
  }),
} satisfies Record<string, z.ZodType>

export type Architecture = keyof typeof schemas

/**
 * The configuration in `json`, the parsed content of the file at `path`.
 * @throws UserError `model-architecture` for an unknown `model_type`, `model-config` for a key with an invalid value.
 */
export function parseModelConfig(json: unknown, path: string): DualEncoderConfig {
  const type = (json as { model_type?: unknown } | null)?.model_type
  const architectures = Object.keys(schemas) as Architecture[]
  const architecture = architectures.find((name) => name === type)
  if (!architecture) {
    const what = `model_type ${JSON.stringify(type)} is not supported`
    throw new UserError({ id: 'model-architecture', where: path, what, expected: architectures.join(', ') })
  }
  const parsed = schemas[architecture].safeParse(withTowers(json as Record<string, unknown>))
  if (!parsed.success) {
    const [{ path: at, message }] = parsed.error.issues
    throw new UserError({ id: 'model-config', where: `${path}: ${at.join('.')}`, what: valueAt(json, at) + message })
  }
  const { vision_config: v, text_config: t, ...rest } = parsed.data
  checkShapes({ vision_config: v, text_config: t }, path)
  if (v.patch_size > v.image_size)
    throw misfit(path, 'vision_config.patch_size', v.patch_size, 'image_size', v.image_size)
  const own = rest as { projection_dim?: number; logit_scale_init_value?: number }
  // The picture head of SigLIP is as wide as its tower, and the text head has the same width.
  const projection = own.projection_dim ?? v.hidden_size
  if (architecture === 'siglip' && (t.projection_size ?? t.hidden_size) !== projection) {
    const what = `${t.projection_size ?? t.hidden_size} is not vision_config.hidden_size ${projection}`
    throw new UserError({ id: 'model-config', where: `${path}: text_config.projection_size`, what })
  }
  return {
    architecture,
    vision: { ...shapeOf(v), imageSize: v.image_size, patch: v.patch_size },
    text: {
      ...shapeOf(t),
      vocabulary: t.vocab_size,
      positions: t.max_position_embeddings,
      tokenTypes: t.type_vocab_size,
      padToken: t.pad_token_id ?? 0,
      endToken: t.eos_token_id ?? 0,
    },
    projection,
    logitScale: own.logit_scale_init_value ?? Math.log(10),
  }
}

/** @throws UserError `model-config` for heads that do not divide the width */
function checkShapes(towers: Record<string, Tower>, path: string): void {
  for (const [name, { hidden_size: width, num_attention_heads: heads }] of Object.entries(towers)) {
    if (width % heads !== 0) throw misfit(path, `${name}.num_attention_heads`, heads, 'hidden_size', width)
  }
}

function misfit(path: string, key: string, value: number, other: string, size: number): UserError {
  return new UserError({ id: 'model-config', where: `${path}: ${key}`, what: `${value} does not fit ${other} ${size}` })
}

/** The configurations of the towers: `…_config_dict` of early CLIP files, if present, else `…_config`. */
function withTowers(json: Record<string, unknown>): Record<string, unknown> {
  const part = (name: string) => json[`${name}_dict`] ?? json[name] ?? {}
  return { ...json, vision_config: part('vision_config'), text_config: part('text_config') }
}

type Tower = z.infer<z.ZodObject<ReturnType<typeof tower>>>

function shapeOf(t: Tower): TransformerShape & { width: number } {
  return {
    width: t.hidden_size,
    layers: t.num_hidden_layers,
    heads: t.num_attention_heads,
    hidden: t.intermediate_size,
    activation: t.hidden_act,
    epsilon: t.layer_norm_eps,
  }
}
