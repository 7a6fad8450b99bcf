/** Optimizers as effects of a training program. State is keyed by the parameters' names. */
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

/** What sets a parameter apart from the others. */
export interface ParameterGroup {
  /** Factor on the learning rate. */
  rateFactor?: number
  /** Decoupled decay: a step takes this share times the learning rate off the values. */
  weightDecay?: number
}

export interface OptimizerOptions {
  optimizer?: 'adam' | 'sgd' | 'nesterov' | 'adagrad'
  /** For the rows of tables that a step touches. */
  tableOptimizer?: 'adam' | 'adagrad' | 'rowwise-adagrad'
  /** Share of the past gradient that is kept: β₁ of Adam, μ of gradient descent. */
  momentum?: number
  /** β₂ of Adam. */
  beta2?: number
  /** ε beside the root in Adam and Adagrad. */
  epsilon?: number
  /** Largest norm of all dense gradients together; 0: no limit. */
  clipNorm?: number
  group?: (name: string, shape: Shape) => ParameterGroup
}

export interface Optimizer {
  effects: Tensor[]
  /** The optimizer's own variables. */
  variables: VariableSpec[]
  /** What must be fed at step `step` (counted from 0) for the learning rate `rate`. */
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
  lookups: { ids: Tensor; gradient: Tensor }[]
  rateFactor?: number
  /** L2 penalty on the touched rows: λ·row is added to the gradient, once a step. */
  l2?: number
}

export const scalar = (value: number): Value => ({ data: Float32Array.of(value), shape: [] })

/** Updates dense parameters by one rule and the touched rows of tables by another. */
export function makeOptimizer(
  parameters: readonly ParameterGradient[],
  tables: readonly TableGradient[],
  options: OptimizerOptions,
): Optimizer {
  const { optimizer = 'adam', tableOptimizer = 'adam', clipNorm = 0, group } = options
  const { momentum = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options
  const variables: VariableSpec[] = []
  const slot = (name: string, shape: Shape, table = false) => {
    variables.push({ name, shape, dtype: 'float32', table })
    return name
  }
  const rate = input('rate', [])
  const adamStep = { rate: input('adam.rate', []), epsilon: input('adam.epsilon', []) }
  const scaled = (x: Tensor, factor: number) => (factor === 1 ? x : mul(x, factor))
  const adamNames = (name: string, shape: Shape, table = false) => ({
    variable: name,
    m: slot(`adam.m/${name}`, shape, table),
    v: slot(`adam.v/${name}`, shape, table),
    beta1: momentum,
    beta2,
  })
  const shrink = clipNorm > 0 ? clipFactor(parameters, clipNorm) : undefined

  const updates = parameters.map(({ name, shape, gradient: full }) => {
    const { rateFactor = 1, weightDecay = 0 } = group?.(name, shape) ?? {}
    const gradient = shrink ? mul(full, shrink) : full
    const own = scaled(rate, rateFactor)
    const decay = weightDecay > 0 ? mul(own, weightDecay) : undefined
    if (optimizer === 'adam') {
      const step = { ...adamStep, rate: scaled(adamStep.rate, rateFactor) }
      return adam(adamNames(name, shape), gradient, step, decay)
    }
    if (optimizer === 'adagrad') {
      const accumulator = slot(`adagrad.sum/${name}`, shape)
      return adagrad({ variable: name, accumulator, epsilon }, gradient, own, decay)
    }
    const velocity = momentum > 0 ? slot(`sgd.velocity/${name}`, shape) : undefined
    return sgd({ variable: name, velocity, momentum, nesterov: optimizer === 'nesterov' }, gradient, own, decay)
  })
  const tableUpdates = tables.map((table) => {
    const { name, shape, rateFactor = 1, l2 = 0 } = table
    const { ids, rows } = allRows(table)
    if (tableOptimizer === 'adam') {
      const step = { ...adamStep, rate: scaled(adamStep.rate, rateFactor) }
      return adamRows({ ...adamNames(name, shape, true), l2 }, ids, rows, step)
    }
    const rowwise = tableOptimizer === 'rowwise-adagrad'
    const accumulator = slot(`adagrad.sum/${name}`, rowwise ? [shape[0], 1] : shape, true)
    return adagradRows({ variable: name, accumulator, epsilon, rowwise, l2 }, ids, rows, scaled(rate, rateFactor))
  })
  return {
    effects: [...updates, ...tableUpdates],
    variables,
    inputs(at, learningRate) {
      const root = Math.sqrt(1 - beta2 ** (at + 1))
      return {
        rate: scalar(learningRate),
        'adam.rate': scalar((learningRate * root) / (1 - momentum ** (at + 1))),
        'adam.epsilon': scalar(epsilon * root),
      }
    },
  }
}

/** The look-ups of a table as one: ids [n], gradient rows [n, width]. */
export function allRows({ shape, lookups }: TableGradient): { ids: Tensor; rows: Tensor } {
  const ids = lookups.map((lookup) => reshape(lookup.ids, [-1]))
  const rows = lookups.map(({ gradient }) => reshape(gradient, [-1, shape[1]]))
  return { ids: concat(ids, 0), rows: concat(rows, 0) }
}

/** min(1, limit / ‖g‖) over all gradients together. */
function clipFactor(parameters: readonly ParameterGradient[], limit: number): Tensor {
  const squares = parameters.map(({ gradient }) => sum(square(gradient))).reduce((a, b) => add(a, b))
  return div(limit, maximum(sqrt(squares), limit))
}
