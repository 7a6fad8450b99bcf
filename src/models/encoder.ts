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

/** Name of the input of each tower. */
export const towerInput: Record<Modality, string> = { image: 'pixel_values', text: 'input_ids' }

export interface EncoderShape {
  config: DualEncoderConfig
  /** Length of a text in tokens. */
  length: number
  /** Width of the fusion head; undefined: no head. */
  fusion: number | undefined
  /** Share of word vectors in the cosine of two items with titles (`withWords`); absent: none. */
  words?: number
}

interface CheckpointParts {
  config: DualEncoderConfig
  mim: { fusion?: { width: number } }
  tokenizer: { config: Record<string, unknown> }
}

/** The shape of the encoder in a checkpoint folder. */
export function encoderShape({ config, mim, tokenizer }: CheckpointParts): EncoderShape {
  const stated = tokenizer.config['model_max_length']
  const limit = typeof stated === 'number' && stated > 0 ? stated : config.text.positions
  return { config, length: Math.min(limit, config.text.positions), fusion: mim.fusion?.width }
}

/** Numbers of the attention between the patches of one picture, in one layer. */
export function attentionSize({ config: { vision } }: EncoderShape): number {
  const tokens = Math.floor(vision.imageSize / vision.patch) ** 2 + 1
  return vision.heads * tokens ** 2
}

/** Width of word vectors; 0 if they are not used. */
export const wordWidth = ({ config, words }: EncoderShape) => (words ? config.text.width : 0)

/** Width of the content vector, word vector included. */
export const contentWidth = (shape: EncoderShape) => (shape.fusion ?? shape.config.projection) + wordWidth(shape)

/** Input of pictures [rows, 3, size, size]; `rows` -1: any number. */
export function pixelInput({ config }: EncoderShape, rows: number, name = towerInput.image) {
  const size = config.vision.imageSize
  return input(name, [rows, 3, size, size])
}

export const tokenInput = ({ length }: EncoderShape, rows: number, name = towerInput.text) =>
  input(name, [rows, length], 'int32')

/** Content vectors [B, width] of unit vectors: by the fusion head, or their mean if there is none. */
export function contentVector(p: Parameters, inputs: FusionInputs, { fusion }: EncoderShape) {
  return fusion === undefined ? meanOfModalities(inputs) : fuse(p, inputs, fusion)
}

/**
 * Concatenates content vectors [B, width] and unit vectors of words [B, text width] (zero if there are no words), so
 * that the cosine of two items is `share` × the cosine of words + (1 − `share`) × the cosine of content vectors.
 */
function withWords(content: Tensor, words: Tensor, share: number): Tensor {
  return l2Normalize(concat([mul(content, Math.sqrt(1 - share)), mul(words, Math.sqrt(share))], 1))
}

/**
 * The three programs of an encoder, for any number of rows: `image` (pixel_values → image_embedding),
 * `text` (input_ids → text_embedding and, if words are used, word_embedding), `content` (these and has_image,
 * has_text → embedding). All vectors have unit norm. Training evaluates with these programs; `mim embed` exports them.
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
