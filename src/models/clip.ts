/** CLIP (Radford et al. 2021, arXiv:2103.00020) in the layout of CLIPModel of Hugging Face. */

import { causalMask, masked } from '../nn/attention.js'
import { affine, embedding, layerNorm, linear, patches, prependToken } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { preNormTransformer, type Reading, readAt } from '../nn/transformer.js'
import {
  add,
  argMax,
  cast,
  constant,
  equal,
  gather,
  greater,
  mul,
  range,
  reshape,
  sliceAxis,
  type Tensor,
} from '../ops/index.js'
import type { DualEncoderConfig, TextConfig, VisionConfig } from './config.js'

/** Pixels [B, 3, S, S] → image features [B, projection]. */
export function clipImage(p: Parameters, pixels: Tensor, { vision, projection }: DualEncoderConfig): Tensor {
  return linear(p.scope('visual_projection'), clipVision(p.scope('vision_model'), pixels, vision), projection, {
    bias: false,
  })
}

/** The vision transformer that CLIP and Chinese-CLIP share: [B, 3, S, S] → [B, width]. */
export function clipVision(p: Parameters, pixels: Tensor, config: VisionConfig): Tensor {
  const { width, patch, imageSize, epsilon } = config
  const embeddings = p.scope('embeddings')
  const kernel = embeddings.get('patch_embedding.weight', [width, 3, patch, patch], { std: 0.02 })
  const tokens = affine(patches(pixels, patch), reshape(kernel, [width, 3 * patch * patch])) // [B, P, width]
  let x = prependToken(embeddings.get('class_embedding', [width], { std: 0.02 }), tokens) // [B, 1 + P, width]
  const positions = 1 + (imageSize / patch) ** 2
  x = add(x, embeddings.get('position_embedding.weight', [positions, width], { std: 0.02 }))
  x = layerNorm(p.scope('pre_layrnorm'), x, epsilon) // every checkpoint spells it so
  x = preNormTransformer(p.scope('encoder'), x, config, { reading: readAt(0) }) // [B, 1, width]
  return layerNorm(p.scope('post_layernorm'), reshape(x, [-1, width]), epsilon) // [B, width]
}

/** Token ids int32 [B, L] → text features [B, projection]. */
export function clipText(p: Parameters, ids: Tensor, { text, projection }: DualEncoderConfig): Tensor {
  const model = p.scope('text_model')
  const length = ids.shape[1]
  const embeddings = model.scope('embeddings')
  const positions = embeddings.get('position_embedding.weight', [text.positions, text.width], { std: 0.01 })
  let x = embedding(embeddings.scope('token_embedding'), ids, text.vocabulary, text.width) // [B, L, width]
  x = add(x, sliceAxis(positions, 0, 0, length))
  const reading = readAtEnd(ids, text)
  x = preNormTransformer(model.scope('encoder'), x, text, { mask: causalMask(length), reading }) // [B, 1, width]
  x = layerNorm(model.scope('final_layer_norm'), reshape(x, [-1, text.width]), text.epsilon) // [B, width]
  return linear(p.scope('text_projection'), x, projection, { bias: false })
}

/** 1 at the tokens of `ids` [B, L] between start and end, else 0: [B, L]. */
export function clipWords(ids: Tensor, text: TextConfig): Tensor {
  const length = ids.shape[1]
  const isBefore = cast(greater(reshape(endOf(ids, text), [-1, 1]), places(length)), 'float32')
  return mul(isBefore, cast(greater(places(length), 0), 'float32'))
}

/** 0, 1, … length − 1, int32 [1, L]. */
const places = (length: number) =>
  constant(
    Int32Array.from({ length }, (_, i) => i),
    [1, length],
    'int32',
  )

/** Position of the end token of each row: int32 [B]. */
function endOf(ids: Tensor, { endToken }: TextConfig): Tensor {
  // Published checkpoints of OpenAI say 2 instead of 49407: there the highest id marks the end.
  return endToken === 2 ? argMax(ids, 1) : argMax(cast(equal(ids, endToken), 'int32'), 1)
}

/** Reads each row of token ids [B, L] at its end token. */
function readAtEnd(ids: Tensor, text: TextConfig): Reading {
  const length = ids.shape[1]
  const position = endOf(ids, text)
  const later = greater(places(length), reshape(position, [-1, 1]))
  return {
    at(x) {
      const width = x.shape[2]
      const rows = gather(reshape(x, [-1, width]), add(mul(range(ids), length), position))
      return reshape(rows, [-1, 1, width])
    },
    mask: reshape(mul(cast(later, 'float32'), -masked), [-1, 1, 1, length]),
  }
}
