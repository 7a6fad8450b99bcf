/** Lowers programs to a TensorFlow graph: one node or a few for each operation. */
import { executionOrder, lower, type Program } from '../program.js'
import { arrayOf, type Precision, type Tensor } from '../tensor.js'
import { GraphWriter, type, type VariableShape } from './graph.js'
import { TensorFlowOps } from './ops.js'
import { encodeSavedModel } from './proto.js'

/** Names of a lowered program's values in the graph, as `node:output`. */
export interface GraphProgram {
  inputs: Record<string, string>
  outputs: Record<string, string>
}

/** Output of every program with effects, and of `zero`: fetching it runs the effects. */
export const done = 'done'
/** An additional program that sets all variables to zero; it must run first. */
export const zero = 'zero'

/**
 * Writes programs that share `variables` as one SavedModel; returns the names of each program's values.
 * `kernels`: whether our own operations (bin/adam-rows.cc) are available.
 */
export function buildGraph(
  programs: Record<string, Program>,
  variables: readonly VariableShape[],
  precision: Precision = 'fp32',
  kernels = false,
) {
  const graph = new GraphWriter(variables, kernels)
  const entries: Record<string, GraphProgram> = {}
  for (const [i, [name, program]] of Object.entries(programs).entries()) {
    const scope = `program${i}`
    const target = new TensorFlowOps(graph, scope, precision)
    const value = lower(executionOrder(program), target.ops, [...Object.values(program.outputs), ...program.effects])
    // An Identity node each, because an input itself cannot be fetched.
    const output = (t: Tensor, i: number) =>
      `${graph.add(`${scope}/output${i}`, 'Identity', [value(t)], { T: type(t.dtype) })}:0`
    entries[name] = {
      inputs: Object.fromEntries([...program.inputs].map(([key, t]) => [key, value(t)])),
      outputs: Object.fromEntries(Object.entries(program.outputs).map(([key, t], k) => [key, output(t, k)])),
    }
    if (program.effects.length > 0) entries[name].outputs[done] = barrier(graph, scope, program.effects.map(value))
  }
  entries[zero] = { inputs: {}, outputs: { [done]: barrier(graph, zero, zeroAll(graph, variables)) } }
  return { bytes: encodeSavedModel(graph.nodes), programs: entries }
}

/** A value that can be fetched once all `effects` have run. */
function barrier(graph: GraphWriter, scope: string, effects: string[]): string {
  const inputs = [graph.float(0), ...effects.map((name) => `^${name}`)]
  return `${graph.add(`${scope}/done`, 'Identity', inputs, { T: type('float32') })}:0`
}

function zeroAll(graph: GraphWriter, variables: readonly VariableShape[]): string[] {
  return variables.map(({ name, shape, dtype }, i) => {
    const nought = graph.constant(new arrayOf[dtype](1), [], dtype)
    const filled = graph.add(`${zero}/fill/${i}`, 'Fill', [graph.ints(shape), nought], {
      T: type(dtype),
      index_type: type('int32'),
    })
    return graph.add(`${zero}/assign/${i}`, 'AssignVariableOp', [graph.handle(name), filled], {
      dtype: type(dtype),
    })
  })
}
