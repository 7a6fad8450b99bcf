/** The sigmoid loss of SigLIP (Zhai et al. 2023, arXiv:2303.15343): binary cross-entropy of each pair by itself. */
import { add, div, exp, matmul, mul, softplus, sub, sum, type Tensor } from '../ops/index.js'
import type { ContrastiveLoss } from './contrastive.js'

/**
 * −1/B Σᵢⱼ ln σ(zᵢⱼ (scale · aᵢ·bⱼ + bias)), where z = 1 for i = j and −1 otherwise; `a` and `b` [B, d] of unit norm.
 * `mask` [B, B] is added to the logits of pairs i ≠ j; masked pairs do not count.
 */
export function sigmoidLoss(a: Tensor, b: Tensor, scale: Tensor, bias: Tensor, mask: Tensor, batch: number): Tensor {
  const logits = add(mul(matmul(a, b, { transposeB: true }), scale), bias) // [B, B]
  const own = add(mul(sum(mul(a, b), -1), scale), bias) // [B]
  // −ln σ(x) = softplus(−x) = softplus(x) − x: all pairs as negatives, minus x for the positives.
  return div(sub(sum(softplus(add(logits, mask))), sum(own)), batch)
}

export const sigmoid = {
  name: 'sigmoid',
  help: 'each pair by itself, as in SigLIP',
  over({ mask, batch, sigmoidLogits }) {
    const { scale, bias } = sigmoidLogits()
    return (a, b) => sigmoidLoss(a, b, exp(scale), bias, mask, batch)
  },
} as const satisfies ContrastiveLoss
