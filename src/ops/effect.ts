import { type AdagradAttrs, type AdamAttrs, node, type SgdAttrs, type Tensor } from './tensor.js'

/** Sets a variable to `value`. */
export function assign(variable: string, value: Tensor): Tensor {
  return node('assign', [value], { variable }, [])
}

/** Sets the rows `ids` int32 [n] of a variable to `rows` [n, …] (int32 for an int8 table); ids must be unique. */
export function assignRows(variable: string, ids: Tensor, rows: Tensor): Tensor {
  return node('assignRows', [ids, rows], { variable }, [])
}

/**
 * Exponential moving average: variable ← keep·variable + (1 − keep)·source, where `keep` is a scalar and `source` has the
 * value that earlier effects gave it.
 */
export function emaUpdate(variable: string, source: string, keep: Tensor): Tensor {
  return node('emaUpdate', [keep], { variable, source }, [])
}

const optional = (decay: Tensor | undefined) => (decay ? [decay] : [])

/** Scalars of Adam that change from step to step. */
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
  return node('adam', [gradient, step.rate, step.epsilon, ...optional(decay)], attrs, [])
}

/**
 * One step of gradient descent on a dense variable, with heavy-ball or Nesterov momentum: v ← μv + g, then
 * the variable moves by −η·v or −η·(g + μv) (Sutskever et al. 2013). `rate` is η; `decay` as in `adam`.
 */
export function sgd(attrs: SgdAttrs, gradient: Tensor, rate: Tensor, decay?: Tensor): Tensor {
  return node('sgd', [gradient, rate, ...optional(decay)], attrs, [])
}

/** One Adagrad step on a dense variable (Duchi et al. 2011): −η·g/(√Σg² + ε). `decay` as in `adam`. */
export function adagrad(attrs: AdagradAttrs, gradient: Tensor, rate: Tensor, decay?: Tensor): Tensor {
  return node('adagrad', [gradient, rate, ...optional(decay)], attrs, [])
}

/**
 * One "lazy" Adam step on the rows `ids` int32 [n] of a table, with their gradients [n, width];
 * equal ids are summed first, rows that are not named keep value and moments, row 0 (padding) never moves.
 * `l2` times the row is added to the sum.
 */
export function adamRows(attrs: AdamAttrs & { l2: number }, ids: Tensor, gradients: Tensor, step: AdamStep): Tensor {
  return node('adamRows', [ids, gradients, step.rate, step.epsilon], attrs, [])
}

/**
 * One Adagrad step on rows of a table; ids and `l2` as in `adamRows`. `rowwise`: the accumulator is
 * [rows, 1] and sums the mean square of a row's gradient.
 */
export function adagradRows(
  attrs: AdagradAttrs & { rowwise: boolean; l2: number },
  ids: Tensor,
  gradients: Tensor,
  rate: Tensor,
): Tensor {
  return node('adagradRows', [ids, gradients, rate], attrs, [])
}
