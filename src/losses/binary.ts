import { mean, mul, softplus, sub, type Tensor } from '../ops/index.js'

/**
 * Mean binary cross-entropy of logits [B] against labels 0 or 1 [B], softplus(x) − x·y, which is stable for large |x|.
 * `weights` [B] multiply the losses of the rows.
 */
export function binaryCrossEntropy(logits: Tensor, labels: Tensor, weights?: Tensor): Tensor {
  const losses = sub(softplus(logits), mul(logits, labels))
  return mean(weights ? mul(losses, weights) : losses)
}
