import { node, type Tensor } from './tensor.js'

/** Result `index` of an operation with several results. */
export function part(x: Tensor, index: number): Tensor {
  const { shape, dtype } = x.outputs![index]
  return node('part', [x], { index }, shape, dtype)
}

/** exp(x) / Σ exp(x) over the last dimension. */
export function softmax(x: Tensor): Tensor {
  return node('softmax', [x], {}, x.shape)
}

/** Gradient of `softmax`: `y` its output, `dy` the gradient that arrives there. */
export function softmaxGrad(y: Tensor, dy: Tensor): Tensor {
  return node('softmaxGrad', [y, dy], {}, y.shape)
}

/** (x − mean) / √(variance + ε) · gamma + beta over the last dimension (Ba et al. 2016, arXiv:1607.06450). */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number): Tensor {
  return node('layerNorm', [x, gamma, beta], { epsilon }, x.shape)
}

/** Gradients of `layerNorm` with respect to x, gamma and beta, as three parts. */
export function layerNormGrad(x: Tensor, gamma: Tensor, dy: Tensor, epsilon: number): Tensor {
  const outputs = [x, gamma, gamma].map(({ shape, dtype }) => ({ shape, dtype }))
  return node('layerNormGrad', [x, gamma, dy], { epsilon }, x.shape, 'float32', outputs)
}

/**
 * Softmax cross-entropy of `logits` [n, classes] against the class numbers `labels` int32 [n].
 * Part 0 is the loss [n], part 1 its gradient with respect to the logits.
 */
function crossEntropyParts(logits: Tensor, labels: Tensor): Tensor {
  const outputs = [labels.shape, logits.shape].map((shape) => ({ shape, dtype: 'float32' as const }))
  return node('crossEntropy', [logits, labels], {}, labels.shape, 'float32', outputs)
}

/** Softmax cross-entropy per row: `logits` [n, classes], `labels` int32 [n] → [n]. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return part(crossEntropyParts(logits, labels), 0)
}

/**
 * f(x), marked as one block of a network. The mark does not change the value: it lets `gradients` recompute the inside
 * of the block from its input instead of storing it.
 */
export function block(x: Tensor, f: (x: Tensor) => Tensor): Tensor {
  const y = f(x)
  return node('block', [y], { input: x }, y.shape, y.dtype)
}

/** `x`, but only after `other` is computed. No gradient. */
export function after(x: Tensor, other: Tensor): Tensor {
  return node('after', [x, other], {}, x.shape, x.dtype)
}

/** `x` without a gradient. */
export function stopGradient(x: Tensor): Tensor {
  return node('stopGradient', [x], {}, x.shape, x.dtype)
}
