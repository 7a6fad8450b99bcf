/** What contrastive losses over unit vectors share. */
import { masked } from '../nn/attention.js'
import { cast, equal, exp, logicalAnd, logicalNot, minimum, mul, range, reshape, type Tensor } from '../ops/index.js'

/** A loss of two matrices of unit vectors [batch, d]: row i of one belongs to row i of the other. */
export type Contrast = (a: Tensor, b: Tensor) => Tensor

/** What a contrastive loss may use. The functions declare parameters of the model, so call only those that are needed. */
export interface ContrastContext {
  batch: number
  /** Added to logits [batch, batch]: takes out pairs that are not negatives. */
  mask: Tensor
  /** Logarithm of the factor on cosines. */
  logitScale: () => Tensor
  /** Logarithm of the factor on cosines and the addend of the sigmoid loss. */
  sigmoidLogits: () => { scale: Tensor; bias: Tensor }
}

/** A contrastive loss that the configuration can choose. */
export interface ContrastiveLoss {
  name: string
  /** What it does, for `mim config pretrain`. */
  help: string
  over(context: ContrastContext): Contrast
}

/** The factor on cosines: exp(logitScale), at most `greatest` (100 as in CLIP, Radford et al. 2021). */
export function temperature(logitScale: Tensor, greatest = 100): Tensor {
  return minimum(exp(logitScale), greatest)
}

/**
 * Additive mask [B, B] that takes the other rows of the same group out of the negatives: the same title twice in a batch
 * is not an error of the model. Each of `groups` is int32 [B]; rows are alike if any of the groups agrees.
 */
export function sameGroupMask(...groups: Tensor[]): Tensor {
  const pairs = (x: Tensor) => equal(reshape(x, [-1, 1]), reshape(x, [1, -1])) // [B, B]
  const same = groups.map(pairs).reduce((a, b) => logicalNot(logicalAnd(logicalNot(a), logicalNot(b))))
  const isOther = logicalAnd(same, logicalNot(pairs(range(groups[0]))))
  return mul(cast(isOther, 'float32'), masked)
}
