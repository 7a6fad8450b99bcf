/** Gradient accumulation: gradients of a step summed over its parts. The loss must be a mean over rows. */
import { add, assign, input, mul, type Shape, type Tensor, variable } from '../ops/index.js'
import { type Program, program } from '../ops/program.js'
import { allRows, type ParameterGradient, scalar, type TableGradient } from './optimizer.js'
import type { Part, Session, Value, VariableSpec } from './session.js'

/** Gradients that several program runs add up, and what the update reads instead of a single run's gradients. */
export interface GradientSums {
  programs: Record<string, Program>
  /** The sums of dense gradients. */
  variables: VariableSpec[]
  parameters: ParameterGradient[]
  tables: TableGradient[]
  /** Adds up the gradients of a step; returns its loss, and the rows of tables (`touched`) as inputs of the update. */
  run(session: Session, parts: readonly Part[]): { loss: number; touched: Record<string, Value> }
}

const sumOf = (parameter: string) => `gradient/${parameter}`
const idsOf = (table: string) => `ids/${table}`
const rowsOf = (table: string) => `rows/${table}`

/** The variables that sum the gradients of parameters, and how an update reads them. */
export function sumsOf(parameters: readonly { name: string; shape: Shape }[]) {
  return {
    variables: parameters.map(({ name, shape }): VariableSpec => ({ name: sumOf(name), shape, dtype: 'float32' })),
    parameters: parameters.map(({ name, shape }) => ({ name, shape, gradient: variable(sumOf(name), shape) })),
  }
}

/** Adds a gradient to its sum after scaling the sum by `keep` [] (0 or 1); undefined: replaces the sum. */
export function addToSum({ name, shape, gradient }: ParameterGradient, keep: Tensor | undefined): Tensor {
  return assign(sumOf(name), keep ? add(mul(variable(sumOf(name), shape), keep), gradient) : gradient)
}

/**
 * Sums gradients over the parts of a step. Gradients of tables leave the program with their ids and are joined, because
 * sums as large as a table would have to be cleared at each step. `effects` happen with each part.
 */
export function sumOverParts(
  loss: Tensor,
  parameters: readonly ParameterGradient[],
  tables: readonly TableGradient[],
  effects: readonly Tensor[],
): GradientSums {
  const [share, keep] = [input('part.share', []), input('part.keep', [])]
  const adds = parameters.map((one) => addToSum({ ...one, gradient: mul(one.gradient, share) }, keep))
  const outputs: Record<string, Tensor> = { loss }
  for (const table of tables) {
    const { ids, rows } = allRows(table) // [n], [n, width]
    outputs[idsOf(table.name)] = ids
    outputs[rowsOf(table.name)] = mul(rows, share)
  }
  return {
    programs: { part: program(outputs, [...adds, ...effects]) },
    ...sumsOf(parameters),
    tables: tables.map((table): TableGradient => {
      const ids = input(idsOf(table.name), [-1], 'int32')
      return { ...table, lookups: [{ ids, gradient: input(rowsOf(table.name), [-1, table.shape[1]]) }] }
    }),
    run(session, parts) {
      const total = parts.reduce((n, { rows }) => n + rows, 0)
      let loss = 0
      const results = parts.map(({ inputs, rows }, i) => {
        const share = rows / total
        const numbers = { 'part.share': scalar(share), 'part.keep': scalar(i > 0 ? 1 : 0) }
        const result = session.run('part', { ...inputs, ...numbers })
        loss += share * result['loss'].data[0]
        return result
      })
      const names = tables.flatMap(({ name }) => [idsOf(name), rowsOf(name)])
      const touched = names.map((name) => [name, joined(results.map((result) => result[name]))])
      return { loss, touched: Object.fromEntries(touched) }
    },
  }
}

/** Concatenates values along the first dimension; the other dimensions are equal. */
export function joined(values: readonly Value[]): Value {
  const [{ data: first, shape }] = values
  const rows = values.reduce((n, value) => n + value.shape[0], 0)
  const size = values.reduce((n, { data }) => n + data.length, 0)
  const data = first instanceof Int32Array ? new Int32Array(size) : new Float32Array(size)
  let offset = 0
  for (const value of values) {
    data.set(value.data, offset)
    offset += value.data.length
  }
  return { data, shape: [rows, ...shape.slice(1)] }
}
