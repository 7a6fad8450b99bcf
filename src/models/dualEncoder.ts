import { embedding } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { add, div, expandDims, mean, mul, sub, sum, type Tensor } from '../ops/index.js'
import { chineseClipText, chineseClipWords } from './chineseClip.js'
import { clipImage, clipText, clipWords } from './clip.js'
import type { Architecture, DualEncoderConfig, TextConfig } from './config.js'
import { siglipImage, siglipText, siglipWords } from './siglip.js'

type Tower = (p: Parameters, input: Tensor, config: DualEncoderConfig) => Tensor

/** What distinguishes an encoder from the others. */
interface Towers {
  image: Tower
  text: Tower
  /** 1 at the tokens of `ids` [B, L] that are words, 0 at special tokens: [B, L]. */
  words: (ids: Tensor, text: TextConfig) => Tensor
  /** Name of the token embeddings of the text tower. */
  tokens: string
  /** Whether it was trained by the sigmoid loss: it then has a logit bias, and its logit scale has shape [1]. */
  sigmoid?: true
}

const towers: Record<Architecture, Towers> = {
  clip: { image: clipImage, text: clipText, words: clipWords, tokens: 'token_embedding' },
  chinese_clip: { image: clipImage, text: chineseClipText, words: chineseClipWords, tokens: 'word_embeddings' },
  siglip: { image: siglipImage, text: siglipText, words: siglipWords, tokens: 'token_embedding', sigmoid: true },
}

/** Normalized pixels [B, 3, S, S] → image features [B, projection], not yet of unit norm. */
export const imageFeatures: Tower = (p, pixels, config) => towers[config.architecture].image(p, pixels, config)

/** Token ids int32 [B, L] → text features [B, projection], not yet of unit norm. */
export const textFeatures: Tower = (p, ids, config) => towers[config.architecture].text(p, ids, config)

/**
 * Token ids int32 [B, L] → mean embedding of the words minus mean embedding of the vocabulary [B, text width]; zero if
 * there is no word. The output of a text tower keeps only what its loss needs; the first layer keeps all words (Su et
 * al. 2021, arXiv:2103.15316, use first and last layers).
 */
export function wordFeatures(p: Parameters, ids: Tensor, { architecture, text }: DualEncoderConfig): Tensor {
  const { words, tokens } = towers[architecture]
  const table = p.scope('text_model').scope('embeddings').scope(tokens)
  const rows = embedding(table, ids, text.vocabulary, text.width) // [B, L, width]
  const center = mean(table.get('weight', [text.vocabulary, text.width], { std: 0.02 }), 0, true) // [1, width]
  const counted = words(ids, text) // [B, L]
  const total = sum(mul(sub(rows, center), expandDims(counted, 2)), 1) // [B, width]
  return div(total, add(sum(counted, 1, true), 1e-6))
}

/** Logarithm of the logit scale (the factor on cosines), a parameter of every encoder. */
export function logitScale(p: Parameters, { architecture, logitScale }: DualEncoderConfig): Tensor {
  return p.get('logit_scale', towers[architecture].sigmoid ? [1] : [], { fill: logitScale })
}

/**
 * Logarithm of the logit scale, and logit bias, of the sigmoid loss. A model trained by InfoNCE gets separate ones,
 * because its logit scale would outweigh the bias; they start as in SigLIP.
 */
export function sigmoidLogits(p: Parameters, config: DualEncoderConfig): { scale: Tensor; bias: Tensor } {
  const own = towers[config.architecture].sigmoid ? p : p.scope('sigmoid')
  const scale = own === p ? logitScale(p, config) : own.get('logit_scale', [1], { fill: Math.log(10) })
  return { scale, bias: own.get('logit_bias', [1], { fill: -10 }) }
}
