/** Optimisers as effects of a training program. State is keyed by the parameters' names. */
import {
  adam,
  adamRows,
  add,
  concat,
  div,
  input,
  maximum,
  mul,
  reshape,
  sqrt,
  square,
  sum,
  type Tensor,
} from '../ops/index.js'
import { ancestors } from '../ops/program.js'
import { isOp } from '../ops/tensor.js'
import type { Value, VariableSpec } from './session.js'

export interface AdamOptions {
  beta1?: number
  beta2?: number
  epsilon?: number
  /** Decoupled weight decay of the parameters that `decays` names. */
  weightDecay?: number
  decays?: (name: string) => boolean
  /** Factor on the learning rate of a parameter. */
  rateFactor?: (name: string) => number
  /** Largest norm of all dense gradients together; 0: no limit. */
  clipNorm?: number
}

export interface Optimizer {
  effects: Tensor[]
  /** The optimiser's own variables. */
  variables: VariableSpec[]
  /** What must be fed at step `step` (counted from 0) for the learning rate `rate`. */
  inputs(step: number, rate: number): Record<string, Value>
}

interface Parameter {
  name: string
  tensor: Tensor
  gradient: Tensor
}

/** Rows of a table that a program looks up, with the gradients that arrive there. */
export interface TableGradient {
  table: string
  vocabulary: number
  width: number
  lookups: { ids: Tensor; gradient: Tensor }[]
  /** L2 penalty on the touched rows: λ·row is added to the gradient. */
  l2?: number
}

const scalar = (value: number): Value => ({ data: Float32Array.of(value), shape: [] })

/** Biases and the gains of norms are not decayed: one-dimensional all of them. */
export const isMatrix = ({ shape }: Tensor) => shape.length > 1

/** Adam or, with weight decay, AdamW on dense parameters; lazy Adam on the rows of tables. */
export function adamOptimizer(parameters: Parameter[], tables: TableGradient[], options: AdamOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0, clipNorm = 0 } = options
  const { rateFactor = () => 1, decays = () => true } = options
  const rate = input('adam.rate', [])
  const step = { rate, epsilon: input('adam.epsilon', []) }
  const plainRate = input('adam.plainRate', [])
  const shrink = clipNorm > 0 ? clipFactor(parameters, clipNorm) : undefined

  const effects = parameters.map(({ name, tensor, gradient }) => {
    const factor = rateFactor(name)
    const own = factor === 1 ? step : { ...step, rate: mul(rate, factor) }
    const attrs = { variable: name, m: `adam.m/${name}`, v: `adam.v/${name}`, beta1, beta2 }
    const decayed = weightDecay > 0 && isMatrix(tensor) && decays(name)
    const decay = decayed ? mul(plainRate, weightDecay * factor) : undefined
    return adam(attrs, shrink ? mul(gradient, shrink) : gradient, own, decay)
  })
  const variables = parameters.flatMap(({ name, tensor: { shape, dtype } }) =>
    ['m', 'v'].map((moment) => ({ name: `adam.${moment}/${name}`, shape, dtype })),
  )
  for (const { table, vocabulary, width, lookups, l2 = 0 } of tables) {
    const ids = concat(
      lookups.map((l) => reshape(l.ids, [-1])),
      0,
    )
    const rows = concat(
      lookups.map((l) => reshape(l.gradient, [-1, width])),
      0,
    )
    const attrs = { variable: table, m: `adam.m/${table}`, v: `adam.v/${table}`, beta1, beta2, l2 }
    effects.push(adamRows(attrs, ids, rows, { ...step, rate: mul(rate, rateFactor(table)) }))
    const shape = [vocabulary, width]
    variables.push(...['m', 'v'].map((moment) => spec(`adam.${moment}/${table}`, shape)))
  }
  const used = new Set(ancestors(effects).filter((t) => isOp(t, 'input')))
  return {
    effects,
    variables,
    inputs(at, learningRate) {
      const root = Math.sqrt(1 - beta2 ** (at + 1))
      const fed = {
        'adam.rate': scalar((learningRate * root) / (1 - beta1 ** (at + 1))),
        'adam.epsilon': scalar(epsilon * root),
      }
      return used.has(plainRate) ? { ...fed, 'adam.plainRate': scalar(learningRate) } : fed
    },
  }
}

function spec(name: string, shape: number[]): VariableSpec {
  return { name, shape, dtype: 'float32', table: true }
}

/** min(1, limit / ‖g‖) over all gradients together. */
function clipFactor(parameters: Parameter[], limit: number): Tensor {
  const squares = parameters.map(({ gradient }) => sum(square(gradient))).reduce((a, b) => add(a, b))
  return div(limit, maximum(sqrt(squares), limit))
}
