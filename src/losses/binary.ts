import { mean, mul, softplus, sub, type Tensor } from '../ops/index.js'

/** Mean binary cross-entropy of logits [B] against labels 0 or 1 [B]: softplus(x) − x·y, safe for large |x|. */
export function binaryCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return mean(sub(softplus(logits), mul(logits, labels)))
}
