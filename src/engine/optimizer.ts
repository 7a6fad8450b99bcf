/** Optimizers as effects of a training program. Their variables are named after the parameters. */
import {
  adagrad,
  adagradRows,
  adam,
  adamRows,
  add,
  concat,
  div,
  input,
  maximum,
  mul,
  reshape,
  type Shape,
  sgd,
  sqrt,
  square,
  sum,
  type Tensor,
} from '../ops/index.js'
import type { Value, VariableSpec } from './session.js'

/** How the update of one parameter differs from the others. */
export interface ParameterGroup {
  /** Factor on the learning rate, 1 by default. */
  rateFactor?: number
  /** Decoupled weight decay: a step subtracts this share times the learning rate from the values; 0 by default. */
  weightDecay?: number
}

export interface OptimizerOptions {
  /** Rule for dense parameters, `adam` by default. */
  optimizer?: 'adam' | 'sgd' | 'nesterov' | 'adagrad'
  /** Rule for the rows of tables that a step touches, `adam` by default. */
  tableOptimizer?: 'adam' | 'adagrad' | 'rowwise-adagrad'
  /** β₁ of Adam, μ of gradient descent: the share of the past gradient that is kept; 0.9 by default. */
  momentum?: number
  /** β₂ of Adam, 0.999 by default. */
  beta2?: number
  /** ε added to the root in Adam and Adagrad, 1e-8 by default. */
  epsilon?: number
  /** Largest norm of all dense gradients together; 0, the default: no limit. */
  clipNorm?: number
  group?: (name: string, shape: Shape) => ParameterGroup
}

export interface Optimizer {
  effects: Tensor[]
  /** The optimizer's own variables. */
  variables: VariableSpec[]
  /** Inputs of the update of step `step` (from 0) at the learning rate `rate`. */
  inputs(step: number, rate: number): Record<string, Value>
}

export interface ParameterGradient {
  name: string
  shape: Shape
  gradient: Tensor
}

/** Rows of a table that a program looks up, with the gradients that arrive there. */
export interface TableGradient {
  name: string
  /** [vocabulary, width]; row 0 is padding. */
  shape: Shape
  /** Ids [n] and gradients [n, width] of each look-up. */
  lookups: { ids: Tensor; gradient: Tensor }[]
  rateFactor?: number
  /** L2 penalty on the touched rows: λ·row is added to the gradient, once a step. */
  l2?: number
}

export const scalar = (value: number): Value => ({ data: Float32Array.of(value), shape: [] })

/** What the updates of all parameters share: resolved options, inputs, and the variables that they declare. */
interface Shared extends Required<Omit<OptimizerOptions, 'clipNorm' | 'group'>> {
  rate: Tensor // []
  adamRate: Tensor // []
  adamEpsilon: Tensor // []
  variables: VariableSpec[]
}

/**
 * Updates dense parameters by one rule and the touched rows of tables by another. Adam is Kingma & Ba 2015
 * (arXiv:1412.6980), with `weightDecay` AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101); its bias correction is in
 * the inputs, as the factor √(1 − β₂ᵗ) on ε and √(1 − β₂ᵗ) / (1 − β₁ᵗ) on the rate.
 */
export function makeOptimizer(
  parameters: readonly ParameterGradient[],
  tables: readonly TableGradient[],
  options: OptimizerOptions,
): Optimizer {
  const { optimizer = 'adam', tableOptimizer = 'adam', clipNorm = 0, group } = options
  const { momentum = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options
  const variables: VariableSpec[] = []
  const [rate, adamRate, adamEpsilon] = ['rate', 'adam.rate', 'adam.epsilon'].map((name) => input(name, []))
  const rule = { optimizer, tableOptimizer, momentum, beta2, epsilon }
  const shared: Shared = { ...rule, rate, adamRate, adamEpsilon, variables }
  const shrink = clipNorm > 0 ? clipFactor(parameters, clipNorm) : undefined
  const updates = parameters.map(({ name, shape, gradient }) => {
    const clipped = shrink ? mul(gradient, shrink) : gradient
    return updateParameter({ name, shape, gradient: clipped }, group?.(name, shape) ?? {}, shared)
  })
  const tableUpdates = tables.map((table) => updateRows(table, shared))
  return {
    effects: [...updates, ...tableUpdates],
    variables,
    inputs(step, learningRate) {
      const root = Math.sqrt(1 - beta2 ** (step + 1))
      return {
        rate: scalar(learningRate),
        'adam.rate': scalar((learningRate * root) / (1 - momentum ** (step + 1))),
        'adam.epsilon': scalar(epsilon * root),
      }
    },
  }
}

function updateParameter(
  { name, shape, gradient }: ParameterGradient,
  { rateFactor = 1, weightDecay = 0 }: ParameterGroup,
  shared: Shared,
): Tensor {
  const { optimizer, momentum, epsilon } = shared
  const rate = scaled(shared.rate, rateFactor)
  const decay = weightDecay > 0 ? mul(rate, weightDecay) : undefined
  if (optimizer === 'adam') {
    const step = { rate: scaled(shared.adamRate, rateFactor), epsilon: shared.adamEpsilon }
    return adam(adamNames(name, shape, shared, false), gradient, step, decay)
  }
  if (optimizer === 'adagrad') {
    const accumulator = declare(shared, `adagrad.sum/${name}`, shape, false)
    return adagrad({ variable: name, accumulator, epsilon }, gradient, rate, decay)
  }
  const velocity = momentum > 0 ? declare(shared, `sgd.velocity/${name}`, shape, false) : undefined
  return sgd({ variable: name, velocity, momentum, nesterov: optimizer === 'nesterov' }, gradient, rate, decay)
}

function updateRows(table: TableGradient, shared: Shared): Tensor {
  const { name, shape, rateFactor = 1, l2 = 0 } = table
  const { tableOptimizer, epsilon } = shared
  const { ids, rows } = allRows(table)
  if (tableOptimizer === 'adam') {
    const step = { rate: scaled(shared.adamRate, rateFactor), epsilon: shared.adamEpsilon }
    return adamRows({ ...adamNames(name, shape, shared, true), l2 }, ids, rows, step)
  }
  const rowwise = tableOptimizer === 'rowwise-adagrad'
  const accumulator = declare(shared, `adagrad.sum/${name}`, rowwise ? [shape[0], 1] : shape, true)
  const rate = scaled(shared.rate, rateFactor)
  return adagradRows({ variable: name, accumulator, epsilon, rowwise, l2 }, ids, rows, rate)
}

const scaled = (x: Tensor, factor: number) => (factor === 1 ? x : mul(x, factor))

/** Declares a variable of the optimizer and returns its name. */
function declare({ variables }: Shared, name: string, shape: Shape, table: boolean): string {
  variables.push({ name, shape, dtype: 'float32', table })
  return name
}

/** The variables of Adam for a parameter or a table, with its decay rates. */
function adamNames(name: string, shape: Shape, shared: Shared, table: boolean) {
  return {
    variable: name,
    m: declare(shared, `adam.m/${name}`, shape, table),
    v: declare(shared, `adam.v/${name}`, shape, table),
    beta1: shared.momentum,
    beta2: shared.beta2,
  }
}

/** All look-ups of a table as one. */
export function allRows({ shape, lookups }: TableGradient): { ids: Tensor; rows: Tensor } {
  const ids = lookups.map((lookup) => reshape(lookup.ids, [-1]))
  const rows = lookups.map(({ gradient }) => reshape(gradient, [-1, shape[1]]))
  return { ids: concat(ids, 0), rows: concat(rows, 0) } // [n], [n, width]
}

/** min(1, limit / ‖g‖) over all gradients together. */
function clipFactor(parameters: readonly ParameterGradient[], limit: number): Tensor {
  const squares = parameters.map(({ gradient }) => sum(square(gradient))).reduce((a, b) => add(a, b))
  return div(limit, maximum(sqrt(squares), limit))
}
