/** A loss made trainable: the programs of its steps, and the variables that they change. */
import { Parameters } from '../nn/parameters.js'
import { gradients } from '../ops/gradients.js'
import { add, assign, follow, input, mul, type Shape, type Tensor, variable } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'
import { allRows, makeOptimizer, type OptimizerOptions, scalar, type TableGradient } from './optimizer.js'
import type { Session, Value, VariableSpec } from './session.js'

export interface TrainingOptions extends OptimizerOptions {
  /** Share of the moving average of the parameters that a step keeps; 0: no average. */
  ema?: number
  /** Parts that a step is made of, one after the other; their gradients add up before the update. */
  accumulate?: number
}

/** A table with the look-ups of the loss that go there; features may share one. */
export interface TrainingTable extends Pick<TableGradient, 'name' | 'shape' | 'rateFactor' | 'l2'> {
  lookups: { ids: Tensor; rows: Tensor }[]
}

/** Some of the rows of a step. */
export interface Part {
  inputs: Record<string, Value>
  /** How many rows; the loss must be a mean over them. */
  rows: number
}

export interface Training {
  programs: Record<string, Program>
  /** All that a step depends on: parameters, tables, averages, the optimiser's own. */
  state: VariableSpec[]
  /** What a step needs only while it lasts. */
  scratch: VariableSpec[]
  /** The parameters to evaluate and to publish: the averages where there are some. */
  evaluated: Parameters
  /** Sets a parameter, and its average with it. */
  start(session: Session, name: string, values: Float32Array): void
  /** Does step `step` (from 0) at a learning rate; returns the loss before it. */
  step(session: Session, parts: readonly Part[], step: number, rate: number): number
}

/** `p` declares the parameters of `loss`; `effects` happen with each part of a step, after its updates. */
export function makeTraining(
  loss: Tensor,
  p: Parameters,
  tables: readonly TrainingTable[],
  options: TrainingOptions,
  effects: readonly Tensor[] = [],
): Training {
  const { ema = 0, accumulate = 1 } = options
  const parameters = p.list()
  const evaluated = ema > 0 ? new Parameters('ema.') : p
  const averages = ema > 0 ? parameters.map(({ name, shape }) => dense(evaluated.prefix + name, shape)) : []
  const keep = input('ema.keep', [])
  const follows = ema > 0 ? parameters.map(({ name }) => follow(evaluated.prefix + name, name, keep)) : []

  const found = gradients(loss, [...parameters, ...tables.flatMap(({ lookups }) => lookups)].map(targetOf))
  const ofParameters = parameters.map(({ name, shape }, i) => ({ name, shape, gradient: found[i] }))
  let next = parameters.length
  const ofTables = tables.map(({ lookups, ...table }): TableGradient => {
    return { ...table, lookups: lookups.map(({ ids }) => ({ ids, gradient: found[next++] })) }
  })
  const whole = accumulate === 1
  const sums = whole ? undefined : sumOverParts(loss, ofParameters, ofTables, effects)
  const optimizer = makeOptimizer(sums?.parameters ?? ofParameters, sums?.tables ?? ofTables, options)
  const update = [...optimizer.effects, ...follows]
  const programs: Record<string, Program> = sums
    ? { part: sums.program, update: program({}, update) }
    : { train: program({ loss }, [...update, ...effects]) }

  return {
    programs,
    state: [
      ...parameters.map(({ name, shape }) => dense(name, shape)),
      ...tables.map(({ name, shape }): VariableSpec => ({ name, shape, dtype: 'float32', table: true })),
      ...optimizer.variables,
      ...averages,
    ],
    scratch: sums?.variables ?? [],
    evaluated,
    start(session, name, values) {
      session.write(name, values)
      if (ema > 0) session.write(evaluated.prefix + name, values)
    },
    step(session, parts, step, rate) {
      // At first the average is young and keeps less, so that the initial values are soon forgotten.
      const rates = { ...optimizer.inputs(step, rate), 'ema.keep': scalar(Math.min(ema, (1 + step) / (10 + step))) }
      if (whole) return session.run('train', { ...parts[0].inputs, ...rates })['loss'].data[0]
      const total = parts.reduce((n, { rows }) => n + rows, 0)
      let mean = 0
      const results = parts.map(({ inputs, rows }, i) => {
        const share = rows / total
        const result = session.run('part', {
          ...inputs,
          'part.share': scalar(share),
          'part.keep': scalar(i > 0 ? 1 : 0),
        })
        mean += share * result['loss'].data[0]
        return result
      })
      const names = tables.flatMap(({ name }) => [idsOf(name), rowsOf(name)])
      const touched = names.map((name) => [name, joined(results.map((result) => result[name]))])
      session.run('update', { ...Object.fromEntries(touched), ...rates })
      return mean
    },
  }
}

const dense = (name: string, shape: Shape): VariableSpec => ({ name, shape, dtype: 'float32' })
const targetOf = (from: { tensor: Tensor } | { rows: Tensor }) => ('tensor' in from ? from.tensor : from.rows)
const sumOf = (parameter: string) => `gradient/${parameter}`
const idsOf = (table: string) => `ids/${table}`
const rowsOf = (table: string) => `rows/${table}`

/**
 * The program of one part of a step, which adds the part's gradients to sums, and what the update reads
 * instead of gradients. Those of tables leave the program with their ids and come back in one piece:
 * sums as large as a table would have to be cleared at each step.
 */
function sumOverParts(
  loss: Tensor,
  parameters: readonly { name: string; shape: Shape; gradient: Tensor }[],
  tables: readonly TableGradient[],
  effects: readonly Tensor[],
) {
  const [share, keep] = [input('part.share', []), input('part.keep', [])]
  const adds = parameters.map(({ name, shape, gradient }) =>
    assign(sumOf(name), add(mul(variable(sumOf(name), shape), keep), mul(gradient, share))),
  )
  const outputs: Record<string, Tensor> = { loss }
  for (const table of tables) {
    const { ids, rows } = allRows(table)
    outputs[idsOf(table.name)] = ids
    outputs[rowsOf(table.name)] = mul(rows, share)
  }
  return {
    program: program(outputs, [...adds, ...effects]),
    variables: parameters.map(({ name, shape }) => dense(sumOf(name), shape)),
    parameters: parameters.map(({ name, shape }) => ({ name, shape, gradient: variable(sumOf(name), shape) })),
    tables: tables.map((table): TableGradient => {
      const ids = input(idsOf(table.name), [-1], 'int32')
      return { ...table, lookups: [{ ids, gradient: input(rowsOf(table.name), [-1, table.shape[1]]) }] }
    }),
  }
}

/** Values of equal width one below the other. */
function joined(values: readonly Value[]): Value {
  const [{ data: first, shape }] = values
  const rows = values.reduce((n, value) => n + value.shape[0], 0)
  const size = values.reduce((n, { data }) => n + data.length, 0)
  const data = first instanceof Int32Array ? new Int32Array(size) : new Float32Array(size)
  let at = 0
  for (const value of values) {
    data.set(value.data, at)
    at += value.data.length
  }
  return { data, shape: [rows, ...shape.slice(1)] }
}
