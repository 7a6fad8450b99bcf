import type { Parameters } from '../nn/parameters.js'
import type { Tensor } from '../ops/index.js'
import { chineseClipText } from './chineseClip.js'
import { clipImage, clipText } from './clip.js'
import type { Architecture, DualEncoderConfig } from './config.js'
import { siglipImage, siglipText } from './siglip.js'

type Tower = (p: Parameters, input: Tensor, config: DualEncoderConfig) => Tensor

const towers: Record<Architecture, { image: Tower; text: Tower }> = {
  clip: { image: clipImage, text: clipText },
  chinese_clip: { image: clipImage, text: chineseClipText },
  siglip: { image: siglipImage, text: siglipText },
}

/** Normalised pixels [B, 3, S, S] → image features [B, projection], not yet of unit norm. */
export const imageFeatures: Tower = (p, pixels, config) => towers[config.architecture].image(p, pixels, config)

/** Token ids int32 [B, L] → text features [B, projection], not yet of unit norm. */
export const textFeatures: Tower = (p, ids, config) => towers[config.architecture].text(p, ids, config)

/** ln of the factor on cosines, a parameter of every architecture. */
export function logitScale(p: Parameters, { architecture, logitScale }: DualEncoderConfig): Tensor {
  return p.get('logit_scale', architecture === 'siglip' ? [1] : [], { fill: logitScale })
}

/** SigLIP's additive bias on logits. */
export function logitBias(p: Parameters): Tensor {
  return p.get('logit_bias', [1], { fill: -10 })
}
