/** The text tower of Chinese-CLIP (Yang et al. 2022, arXiv:2211.01335): BERT, read at its first token. */

import { masked } from '../nn/attention.js'
import { embedding, layerNorm, linear } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { postNormTransformer, readAt } from '../nn/transformer.js'
import { add, cast, concat, equal, mul, reshape, sliceAxis, sub, type Tensor } from '../ops/index.js'
import type { DualEncoderConfig, TextConfig } from './config.js'

/** Token ids int32 [B, L] → text features [B, projection]; padding is masked. */
export function chineseClipText(p: Parameters, ids: Tensor, { text, projection }: DualEncoderConfig): Tensor {
  const model = p.scope('text_model')
  const embeddings = model.scope('embeddings')
  const positions = embeddings.get('position_embeddings.weight', [text.positions, text.width], { std: 0.02 })
  const types = embeddings.get('token_type_embeddings.weight', [text.tokenTypes, text.width], { std: 0.02 })
  let x = embedding(embeddings.scope('word_embeddings'), ids, text.vocabulary, text.width) // [B, L, width]
  x = add(add(x, sliceAxis(types, 0, 0, 1)), sliceAxis(positions, 0, 0, ids.shape[1]))
  x = layerNorm(embeddings.scope('LayerNorm'), x, text.epsilon)
  x = postNormTransformer(model.scope('encoder'), x, text, {
    mask: paddingMask(ids, text.padToken),
    reading: readAt(0),
  }) // [B, 1, width]
  return linear(p.scope('text_projection'), reshape(x, [-1, text.width]), projection, { bias: false })
}

/** 1 at the tokens of `ids` [B, L] between the first and the last one before padding, else 0: [B, L]. */
export function chineseClipWords(ids: Tensor, { padToken }: TextConfig): Tensor {
  const length = ids.shape[1]
  const isText = sub(1, cast(equal(ids, padToken), 'float32'))
  const nothing = mul(sliceAxis(isText, 1, 0, 1), 0)
  // A word has a token before it and a token after it.
  const inner = mul(sliceAxis(isText, 1, 1, length - 1), sliceAxis(isText, 1, 2, length))
  return concat([nothing, inner, nothing], 1)
}

/** Mask [B, 1, 1, L], to be subtracted from scores, that hides the padding of `ids` [B, L]. */
function paddingMask(ids: Tensor, padToken: number): Tensor {
  return reshape(mul(cast(equal(ids, padToken), 'float32'), -masked), [-1, 1, 1, ids.shape[1]])
}
