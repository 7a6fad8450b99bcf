/** The fusion head: a linear layer from the unit vectors of picture and title to the content vector (our reading of MIM). */

import { affine, l2Normalize } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { add, concat, mul, reshape, type Tensor } from '../ops/index.js'

export interface FusionInputs {
  /** Unit vectors [B, projection]. */
  image: Tensor
  text: Tensor
  /** 1 if the item has the modality, else 0: [B]. */
  hasImage: Tensor
  hasText: Tensor
}

/** Unit content vectors [B, width]; initially the mean of the vectors that an item has. */
export function fuse(p: Parameters, { image, text, hasImage, hasText }: FusionInputs, width: number): Tensor {
  const joint = concat([mul(image, column(hasImage)), mul(text, column(hasText))], 1) // [B, 2·projection]
  const weight = p.get('fusion.weight', [width, joint.shape[1]], { eye: 0.5 })
  return l2Normalize(affine(joint, weight, p.get('fusion.bias', [width], { fill: 0 })))
}

/** Content vectors without a fusion head: the normalized mean of the vectors that an item has, [B, projection]. */
export function meanOfModalities({ image, text, hasImage, hasText }: FusionInputs): Tensor {
  return l2Normalize(add(mul(image, column(hasImage)), mul(text, column(hasText))))
}

const column = (x: Tensor) => reshape(x, [-1, 1])
