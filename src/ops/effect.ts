import { type AdamAttrs, node, type Tensor } from './tensor.js'

/** Sets a variable to `value`. */
export function assign(variable: string, value: Tensor): Tensor {
  return node('assign', [value], { variable }, [])
}

/** Sets the rows `ids` int32 [n] of a variable to `rows` [n, …]; an id may stand once only. */
export function assignRows(variable: string, ids: Tensor, rows: Tensor): Tensor {
  return node('assignRows', [ids, rows], { variable }, [])
}

/** What changes from step to step in Adam: scalars. */
export interface AdamStep {
  /** Learning rate already divided by the bias corrections: η·√(1−β₂ᵗ)/(1−β₁ᵗ). */
  rate: Tensor
  /** ε·√(1−β₂ᵗ), so that the quotient equals m̂/(√v̂+ε). */
  epsilon: Tensor
}

/**
 * One Adam step on a dense variable (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1).
 * With `decay` (a scalar: learning rate times weight decay) the variable shrinks by that share
 * first: AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101).
 */
export function adam(attrs: AdamAttrs, gradient: Tensor, step: AdamStep, decay?: Tensor): Tensor {
  return node('adam', [gradient, step.rate, step.epsilon, ...(decay ? [decay] : [])], attrs, [])
}

/**
 * One "lazy" Adam step on the rows `ids` int32 [n] of a table, with their gradients [n, width];
 * equal ids are summed first, rows that are not named keep value and moments, row 0 (padding) never moves.
 * `l2` times the row is added to its gradient.
 */
export function adamRows(attrs: AdamAttrs & { l2: number }, ids: Tensor, gradients: Tensor, step: AdamStep): Tensor {
  return node('adamRows', [ids, gradients, step.rate, step.epsilon], attrs, [])
}

/** One Adagrad step (Duchi et al. 2011) on rows of a table; ids and `l2` as in `adamRows`. */
export function adagradRows(
  attrs: { variable: string; accumulator: string; epsilon: number; l2: number },
  ids: Tensor,
  gradients: Tensor,
  rate: Tensor,
): Tensor {
  return node('adagradRows', [ids, gradients, rate], attrs, [])
}
