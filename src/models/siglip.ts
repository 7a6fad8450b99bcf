/** SigLIP (Zhai et al. 2023, arXiv:2303.15343) in the layout of SiglipModel of Hugging Face. */

import { crossAttention } from '../nn/attention.js'
import { affine, embedding, layerNorm, linear, patches } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { mlp, preNormTransformer, readAt } from '../nn/transformer.js'
import { add, cast, equal, mul, reshape, sliceAxis, sub, type Tensor } from '../ops/index.js'
import type { DualEncoderConfig, TextConfig } from './config.js'

/** Pixels [B, 3, S, S] → image features [B, width], pooled by attention from one learned query. */
export function siglipImage(p: Parameters, pixels: Tensor, { vision }: DualEncoderConfig): Tensor {
  const { width, patch, imageSize, heads, epsilon } = vision
  const model = p.scope('vision_model')
  const embeddings = model.scope('embeddings')
  const kernel = embeddings.get('patch_embedding.weight', [width, 3, patch, patch], { std: 0.02 })
  const bias = embeddings.get('patch_embedding.bias', [width], { fill: 0 })
  const positions = (imageSize / patch) ** 2
  let x = affine(patches(pixels, patch), reshape(kernel, [width, 3 * patch * patch]), bias) // [B, P, width]
  x = add(x, embeddings.get('position_embedding.weight', [positions, width], { std: 0.02 }))
  x = layerNorm(model.scope('post_layernorm'), preNormTransformer(model.scope('encoder'), x, vision), epsilon) // [B, P, width]
  const head = model.scope('head')
  const probe = head.get('probe', [1, 1, width], { std: 0.02 })
  // Zero times a token of x: one probe per picture, even if B is unknown.
  const queries = add(mul(sliceAxis(x, 1, 0, 1), 0), probe) // [B, 1, width]
  const pooled = crossAttention(head.scope('attention'), queries, x, heads) // [B, 1, width]
  const normed = layerNorm(head.scope('layernorm'), pooled, epsilon)
  return reshape(add(pooled, mlp(head.scope('mlp'), normed, vision)), [-1, width]) // [B, width]
}

/** Token ids int32 [B, L] → text features [B, width], read at the last position; as in its training, padding is not masked. */
export function siglipText(p: Parameters, ids: Tensor, { text, projection }: DualEncoderConfig): Tensor {
  const model = p.scope('text_model')
  const embeddings = model.scope('embeddings')
  const positions = embeddings.get('position_embedding.weight', [text.positions, text.width], { std: 0.02 })
  let x = embedding(embeddings.scope('token_embedding'), ids, text.vocabulary, text.width) // [B, L, width]
  x = add(x, sliceAxis(positions, 0, 0, ids.shape[1]))
  x = preNormTransformer(model.scope('encoder'), x, text, { reading: readAt(-1) }) // [B, 1, width]
  x = layerNorm(model.scope('final_layer_norm'), reshape(x, [-1, text.width]), text.epsilon) // [B, width]
  return linear(model.scope('head'), x, projection)
}

/** 1 at the tokens of `ids` [B, L] other than padding, which is also the end token; else 0: [B, L]. */
export function siglipWords(ids: Tensor, { padToken }: TextConfig): Tensor {
  return sub(1, cast(equal(ids, padToken), 'float32'))
}
