/** Training of a loss: the programs of a step, and the variables that they change. */
import { Parameters } from '../nn/parameters.js'
import { gradients } from '../ops/gradients.js'
import { emaUpdate, input, type Shape, type Tensor } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'
import { type GradientSums, sumOverParts } from './accumulate.js'
import {
  makeOptimizer,
  type OptimizerOptions,
  type ParameterGradient,
  scalar,
  type TableGradient,
} from './optimizer.js'
import type { Part, Session, Value, VariableSpec } from './session.js'

export interface TrainingOptions extends OptimizerOptions {
  /** Decay of the exponential moving average of the parameters; 0: no average. */
  ema?: number
  /** Gradient accumulation: parts of a step that run one after another before the update. */
  accumulate?: number
  /** Activation checkpointing: blocks are computed again in the backward pass instead of kept; see `gradients`. */
  recompute?: boolean
}

/** A table with its look-ups in the loss; features may share a table. */
export interface TrainingTable extends Pick<TableGradient, 'name' | 'shape' | 'rateFactor' | 'l2'> {
  lookups: { ids: Tensor; rows: Tensor }[]
}

export interface Training {
  programs: Record<string, Program>
  /** Everything that a step depends on: parameters, tables, averages, the optimizer's variables. */
  state: VariableSpec[]
  /** Variables that are used only within a step. */
  scratch: VariableSpec[]
  /** The parameters to evaluate and to save: the averages if there are any. */
  evaluated: Parameters
  /** Sets a parameter and its average. */
  start(session: Session, name: string, values: Float32Array): void
  /** Takes step `step` (from 0) at a learning rate; returns the loss before the update. */
  step(session: Session, parts: readonly Part[], step: number, rate: number): number
}

/** Trains `loss`, a mean over rows, with the parameters that `p` declares; `effects` happen with each part of a step. */
export function makeTraining(
  loss: Tensor,
  p: Parameters,
  tables: readonly TrainingTable[],
  options: TrainingOptions,
  effects: readonly Tensor[] = [],
): Training {
  const parameters = p.trainable()
  const targets = [...parameters, ...tables.flatMap(({ lookups }) => lookups)].map(targetOf)
  const found = gradients(loss, targets, options)
  const ofParameters = parameters.map(({ name, shape }, i) => ({ name, shape, gradient: found[i] }))
  let next = parameters.length
  const ofTables = tables.map(({ lookups, ...table }): TableGradient => {
    return { ...table, lookups: lookups.map(({ ids }) => ({ ids, gradient: found[next++] })) }
  })
  const { accumulate = 1 } = options
  if (accumulate > 1) return trainingOf(sumOverParts(loss, ofParameters, ofTables, effects), p, options)

  const { update, ...training } = updating(p, ofParameters, ofTables, options)
  return {
    ...training,
    programs: { train: program({ loss }, [...update, ...effects]) },
    scratch: [],
    step: (session, parts, step, rate) =>
      session.run('train', { ...parts[0].inputs, ...training.rates(step, rate) })['loss'].data[0],
  }
}

/** A training by gradient sums; the update is a program of its own. */
export function trainingOf(sums: GradientSums, p: Parameters, options: TrainingOptions): Training {
  const { update, ...training } = updating(p, sums.parameters, sums.tables, options)
  return {
    ...training,
    programs: { ...sums.programs, update: program({}, update) },
    scratch: sums.variables,
    step(session, parts, step, rate) {
      const { loss, touched } = sums.run(session, parts)
      session.run('update', { ...touched, ...training.rates(step, rate) })
      return loss
    },
  }
}

/** The update by given gradients, with its variables and inputs. */
function updating(
  p: Parameters,
  gradients: readonly ParameterGradient[],
  tables: readonly TableGradient[],
  options: TrainingOptions,
) {
  const { ema = 0 } = options
  const parameters = p.trainable()
  const evaluated = ema > 0 ? new Parameters('ema.') : p
  const averages = ema > 0 ? parameters.map(({ name, shape }) => dense(evaluated.prefix + name, shape)) : []
  const keep = input('ema.keep', [])
  const emaUpdates = ema > 0 ? parameters.map(({ name }) => emaUpdate(evaluated.prefix + name, name, keep)) : []
  const optimizer = makeOptimizer(gradients, tables, options)
  return {
    update: [...optimizer.effects, ...emaUpdates],
    evaluated,
    state: [
      ...parameters.map(({ name, shape }) => dense(name, shape)),
      ...tables.map(({ name, shape }): VariableSpec => ({ name, shape, dtype: 'float32', table: true })),
      ...optimizer.variables,
      ...averages,
    ],
    start(session: Session, name: string, values: Float32Array): void {
      session.write(name, values)
      if (ema > 0) session.write(evaluated.prefix + name, values)
    },
    rates: (step: number, rate: number): Record<string, Value> => ({
      ...optimizer.inputs(step, rate),
      // The decay is lower in the first steps, so that the average soon forgets the initial values.
      'ema.keep': scalar(Math.min(ema, (1 + step) / (10 + step))),
    }),
  }
}

const dense = (name: string, shape: Shape): VariableSpec => ({ name, shape, dtype: 'float32' })
const targetOf = (from: { tensor: Tensor } | { rows: Tensor }) => ('tensor' in from ? from.tensor : from.rows)
