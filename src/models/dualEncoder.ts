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

/**
 * ln of the factor on cosines and the addend to logits of the sigmoid loss: SigLIP's own, or others beside a model that
 * learnt by InfoNCE, whose factor would drown the addend. They start as in SigLIP.
 */
export function sigmoidLogits(p: Parameters, config: DualEncoderConfig): { scale: Tensor; bias: Tensor } {
  const own = config.architecture === 'siglip' ? p : p.scope('sigmoid')
  const scale = own === p ? logitScale(p, config) : own.get('logit_scale', [1], { fill: Math.log(10) })
  return { scale, bias: own.get('logit_bias', [1], { fill: -10 }) }
}
