import { embedding } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { add, div, expandDims, mean, mul, sub, sum, type Tensor } from '../ops/index.js'
import { chineseClipText, chineseClipWords } from './chineseClip.js'
import { clipImage, clipText, clipWords } from './clip.js'
import type { Architecture, DualEncoderConfig, TextConfig } from './config.js'
import { siglipImage, siglipText, siglipWords } from './siglip.js'

type Tower = (p: Parameters, input: Tensor, config: DualEncoderConfig) => Tensor

interface Towers {
  image: Tower
  text: Tower
  /** Which tokens of ids [B, L] are words, rather than what every text has: 1 or 0. */
  words: (ids: Tensor, text: TextConfig) => Tensor
  /** What the tokens' embeddings are called among those of the text tower. */
  tokens: string
}

const towers: Record<Architecture, Towers> = {
  clip: { image: clipImage, text: clipText, words: clipWords, tokens: 'token_embedding' },
  chinese_clip: { image: clipImage, text: chineseClipText, words: chineseClipWords, tokens: 'word_embeddings' },
  siglip: { image: siglipImage, text: siglipText, words: siglipWords, tokens: 'token_embedding' },
}

/** Normalized pixels [B, 3, S, S] → image features [B, projection], not yet of unit norm. */
export const imageFeatures: Tower = (p, pixels, config) => towers[config.architecture].image(p, pixels, config)

/** Token ids int32 [B, L] → text features [B, projection], not yet of unit norm. */
export const textFeatures: Tower = (p, ids, config) => towers[config.architecture].text(p, ids, config)

/**
 * Token ids int32 [B, L] → the mean of the words' embeddings, about that of the vocabulary [B, text width]; zero where
 * there is no word. What a text tower ends in knows of its words what its loss asks for; the first layer knows them all
 * (Su et al. 2021, arXiv:2103.15316, read first and last layers).
 */
export function wordFeatures(p: Parameters, ids: Tensor, { architecture, text }: DualEncoderConfig): Tensor {
  const { words, tokens } = towers[architecture]
  const table = p.scope('text_model').scope('embeddings').scope(tokens)
  const rows = embedding(table, ids, text.vocabulary, text.width) // [B, L, width]
  const center = mean(table.get('weight', [text.vocabulary, text.width], { std: 0.02 }), 0, true)
  const counted = words(ids, text)
  const total = sum(mul(sub(rows, center), expandDims(counted, 2)), 1)
  return div(total, add(sum(counted, 1, true), 1e-6))
}

/** ln of the factor on cosines, a parameter of every architecture. */
export function logitScale(p: Parameters, { architecture, logitScale }: DualEncoderConfig): Tensor {
  return p.get('logit_scale', architecture === 'siglip' ? [1] : [], { fill: logitScale })
}

/**
 * ln of the factor on cosines and the addend to logits of the sigmoid loss: SigLIP's own, or others beside a model that
 * learned by InfoNCE, whose factor would drown the addend. They start as in SigLIP.
 */
export function sigmoidLogits(p: Parameters, config: DualEncoderConfig): { scale: Tensor; bias: Tensor } {
  const own = config.architecture === 'siglip' ? p : p.scope('sigmoid')
  const scale = own === p ? logitScale(p, config) : own.get('logit_scale', [1], { fill: Math.log(10) })
  return { scale, bias: own.get('logit_bias', [1], { fill: -10 }) }
}
