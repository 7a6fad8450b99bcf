/** Pairs judged one by one: SigLIP's loss (Zhai et al. 2023, arXiv:2303.15343). */
import { add, div, matmul, mul, softplus, sub, sum, type Tensor } from '../ops/index.js'

/**
 * −1/B Σᵢⱼ ln σ(zᵢⱼ (scale · aᵢ·bⱼ + bias)), z = 1 for a row's own partner and −1 for all others; `a` and `b`
 * [batch, d] of unit norm, `mask` [batch, batch] is added to the logits of the others: masked ones count for nothing.
 */
export function sigmoidLoss(a: Tensor, b: Tensor, scale: Tensor, bias: Tensor, mask: Tensor, batch: number): Tensor {
  const logits = add(mul(matmul(a, b, { transposeB: true }), scale), bias) // [batch, batch]
  const own = add(mul(sum(mul(a, b), -1), scale), bias) // [batch]
  // −ln σ(x) = softplus(−x) = softplus(x) − x: all pairs as if they were wrong, less x for the right ones.
  return div(sub(sum(softplus(add(logits, mask))), sum(own)), batch)
}
