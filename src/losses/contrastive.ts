/** Contrastive losses over unit vectors. */

import { masked } from '../nn/attention.js'
import {
  add,
  cast,
  crossEntropy,
  equal,
  exp,
  logicalAnd,
  logicalNot,
  matmul,
  mean,
  minimum,
  mul,
  range,
  reshape,
  type Tensor,
  transpose,
} from '../ops/index.js'

/** The factor on cosines: exp of the learned logarithm, at most `greatest`, 100 as in CLIP. */
export function temperature(logitScale: Tensor, greatest = 100): Tensor {
  return minimum(exp(logitScale), greatest)
}

/**
 * Additive mask [B, B] that takes other rows of the same group out of the negatives: the same
 * title twice in a batch is no mistake of the model's. `groups` int32 [B], of one kind or several.
 */
export function sameGroupMask(...groups: Tensor[]): Tensor {
  const pairs = (x: Tensor) => equal(reshape(x, [-1, 1]), reshape(x, [1, -1]))
  const same = groups.map(pairs).reduce((a, b) => logicalNot(logicalAnd(logicalNot(a), logicalNot(b))))
  const isOther = logicalAnd(same, logicalNot(pairs(range(groups[0]))))
  return mul(cast(isOther, 'float32'), masked)
}

/**
 * Symmetric InfoNCE (van den Oord et al. 2018; CLIP): row i of `a` belongs to row i of `b`, both
 * [B, d] of unit norm; all other rows are negatives. `scale` multiplies cosines, `mask` is added to them.
 */
export function symmetricInfoNce(a: Tensor, b: Tensor, scale: Tensor, mask?: Tensor): Tensor {
  const cosines = mul(matmul(a, b, { transposeB: true, exact: true }), scale) // [B, B]
  const logits = mask ? add(cosines, mask) : cosines
  const labels = range(a)
  const loss = (x: Tensor) => mean(crossEntropy(x, labels))
  return mul(add(loss(logits), loss(transpose(logits, [1, 0]))), 0.5)
}
