/** The computation of a step of stage 1. */
import { sameGroupMask, symmetricInfoNce, temperature } from '../losses/contrastive.js'
import { l2Normalize } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { add, input, mul } from '../ops/index.js'
import { imageFeatures, logitScale, textFeatures } from './dualEncoder.js'
import { contentVector, type EncoderShape, pixelInput, tokenInput } from './encoder.js'

/**
 * Symmetric image-title InfoNCE plus `fusionWeight` times the same between the content vector of
 * the whole item and that of a view which lacks one modality.
 */
export function pretrainLoss(p: Parameters, shape: EncoderShape, batch: number, fusionWeight: number) {
  const { config } = shape
  const image = l2Normalize(imageFeatures(p, pixelInput(shape, batch), config))
  const text = l2Normalize(textFeatures(p, tokenInput(shape, batch), config))
  const scale = temperature(logitScale(p, config))
  const mask = sameGroupMask(input('title_group', [batch], 'int32'))
  const alignment = symmetricInfoNce(image, text, scale, mask)
  const [keepImage, keepText] = [input('keep_image', [batch]), input('keep_text', [batch])]
  const both = add(mul(keepImage, 0), 1)
  const whole = contentVector(p, { image, text, hasImage: both, hasText: both }, shape)
  const partial = contentVector(p, { image, text, hasImage: keepImage, hasText: keepText }, shape)
  return add(alignment, mul(symmetricInfoNce(whole, partial, scale, mask), fusionWeight))
}
