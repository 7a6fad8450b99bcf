/** The encoder of a catalogue: the two towers of a dual encoder and the content vector made of them. */
import { l2Normalize } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { concat, input, mul, type Tensor } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'
import type { DualEncoderConfig } from './config.js'
import { imageFeatures, textFeatures, wordFeatures } from './dualEncoder.js'
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
  /** Share of the words of a title in the cosine of two items that have one (`withWords`); absent: none. */
  words?: number
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

/** Numbers of the vector of words; 0 where they do not count. */
export const wordWidth = ({ config, words }: EncoderShape) => (words ? config.text.width : 0)

/** Width of the content vector, with the words beside it. */
export const contentWidth = (shape: EncoderShape) => (shape.fusion ?? shape.config.projection) + wordWidth(shape)

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
 * Content vectors [B, width] with the unit vectors of words [B, text width] (zero where there are none) beside them:
 * the cosine of two items is `share` times that of their words and 1 − `share` times that of the rest.
 */
function withWords(content: Tensor, words: Tensor, share: number): Tensor {
  return l2Normalize(concat([mul(content, Math.sqrt(1 - share)), mul(words, Math.sqrt(share))], 1))
}

/**
 * The three programs of an encoder, for any number of rows: `image` (pixel_values → image_embedding),
 * `text` (input_ids → text_embedding and, where words count, word_embedding), `content` (these and has_image,
 * has_text → embedding). All vectors have unit norm. Training evaluates with them and `mim embed` exports them.
 */
export function encoderPrograms(p: Parameters, shape: EncoderShape): Record<'image' | 'text' | 'content', Program> {
  const { config, words } = shape
  const vectors = (name: string) => input(name, [-1, config.projection])
  const inputs = {
    image: vectors('image_embedding'),
    text: vectors('text_embedding'),
    hasImage: input('has_image', [-1]),
    hasText: input('has_text', [-1]),
  }
  const image = { image_embedding: l2Normalize(imageFeatures(p, pixelInput(shape, -1), config)) }
  const tokens = tokenInput(shape, -1)
  const text = { text_embedding: l2Normalize(textFeatures(p, tokens, config)) }
  const content = contentVector(p, inputs, shape)
  if (!words) return { image: program(image), text: program(text), content: program({ embedding: content }) }
  const word = l2Normalize(wordFeatures(p, tokens, config))
  const ofWords = input('word_embedding', [-1, config.text.width])
  return {
    image: program(image),
    text: program({ ...text, word_embedding: word }),
    content: program({ embedding: withWords(content, ofWords, words) }),
  }
}
