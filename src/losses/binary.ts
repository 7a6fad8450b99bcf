import { mean, mul, softplus, sub, type Tensor } from '../ops/index.js'

/**
 * Mean binary cross-entropy of logits [B] against labels 0 or 1 [B]: softplus(x) − x·y, safe for large |x|; each
 * times its weight where there are `weights` [B].
 */
export function binaryCrossEntropy(logits: Tensor, labels: Tensor, weights?: Tensor): Tensor {
  const losses = sub(softplus(logits), mul(logits, labels))
  return mean(weights ? mul(losses, weights) : losses)
}
