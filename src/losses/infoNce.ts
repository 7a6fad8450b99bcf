/** InfoNCE (van den Oord et al. 2018, arXiv:1807.03748), symmetric as in CLIP (Radford et al. 2021, arXiv:2103.00020). */
import { add, crossEntropy, matmul, mean, mul, range, type Tensor, transpose } from '../ops/index.js'
import { type ContrastiveLoss, temperature } from './contrastive.js'

/**
 * Symmetric InfoNCE: row i of `a` belongs to row i of `b`, both [B, d] of unit norm; all other rows are negatives.
 * `scale` multiplies cosines; `mask` [B, B] is added to the logits.
 */
export function symmetricInfoNce(a: Tensor, b: Tensor, scale: Tensor, mask?: Tensor): Tensor {
  const cosines = mul(matmul(a, b, { transposeB: true, exact: true }), scale) // [B, B]
  const logits = mask ? add(cosines, mask) : cosines
  const labels = range(a)
  const loss = (x: Tensor) => mean(crossEntropy(x, labels))
  return mul(add(loss(logits), loss(transpose(logits, [1, 0]))), 0.5)
}

export const infoNce = {
  name: 'infoNce',
  help: 'softmax over the batch, as in CLIP',
  over({ mask, logitScale }) {
    const scale = temperature(logitScale())
    return (a, b) => symmetricInfoNce(a, b, scale, mask)
  },
} as const satisfies ContrastiveLoss
