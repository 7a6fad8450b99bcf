/** The encoder of a catalogue: the two towers of a dual encoder and the content vector made of them. */
import { l2Normalize } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { input } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'
import type { DualEncoderConfig } from './config.js'
import { imageFeatures, textFeatures } from './dualEncoder.js'
import { type FusionInputs, fuse, meanOfModalities } from './fusion.js'

export type Modality = 'image' | 'text'
export const modalities: readonly Modality[] = ['image', 'text']

/** What a tower's input is called. */
export const towerInput: Record<Modality, string> = { image: 'pixel_values', text: 'input_ids' }

export interface EncoderShape {
  config: DualEncoderConfig
  /** Tokens of a text. */
  length: number
  /** Width of the fused vector; undefined without a fusion head. */
  fusion: number | undefined
}

interface CheckpointParts {
  config: DualEncoderConfig
  mim: { fusion?: { width: number } }
  tokenizer: { config: Record<string, unknown> }
}

/** The shape of what a checkpoint folder holds. */
export function encoderShape({ config, mim, tokenizer }: CheckpointParts): EncoderShape {
  const stated = tokenizer.config['model_max_length']
  const limit = typeof stated === 'number' && stated > 0 ? stated : config.text.positions
  return { config, length: Math.min(limit, config.text.positions), fusion: mim.fusion?.width }
}

/** Width of the content vector. */
export const contentWidth = ({ config, fusion }: EncoderShape) => fusion ?? config.projection

/** Input of pictures [rows, 3, size, size]; -1 rows: any number. */
export function pixelInput({ config }: EncoderShape, rows: number, name = towerInput.image) {
  const size = config.vision.imageSize
  return input(name, [rows, 3, size, size])
}

export const tokenInput = ({ length }: EncoderShape, rows: number, name = towerInput.text) =>
  input(name, [rows, length], 'int32')

/** Content vector of unit vectors, by the fusion head or, without one, as their mean. */
export function contentVector(p: Parameters, inputs: FusionInputs, { fusion }: EncoderShape) {
  return fusion === undefined ? meanOfModalities(inputs) : fuse(p, inputs, fusion)
}

/**
 * The three programs of an encoder, for any number of rows: `image` (pixel_values → image_embedding),
 * `text` (input_ids → text_embedding), `content` (the two and has_image, has_text → embedding).
 * All vectors have unit norm. Training evaluates with them and `mim embed` exports them.
 */
export function encoderPrograms(p: Parameters, shape: EncoderShape): Record<'image' | 'text' | 'content', Program> {
  const { config } = shape
  const vectors = (name: string) => input(name, [-1, config.projection])
  const inputs = {
    image: vectors('image_embedding'),
    text: vectors('text_embedding'),
    hasImage: input('has_image', [-1]),
    hasText: input('has_text', [-1]),
  }
  return {
    image: program({ image_embedding: l2Normalize(imageFeatures(p, pixelInput(shape, -1), config)) }),
    text: program({ text_embedding: l2Normalize(textFeatures(p, tokenInput(shape, -1), config)) }),
    content: program({ embedding: contentVector(p, inputs, shape) }),
  }
}
