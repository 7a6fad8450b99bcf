import type { Program } from '../ops/program.js'
import type { Precision, Shape, TypedArray, VariableType } from '../ops/tensor.js'

/** A variable of a session: a model parameter, an optimizer moment, an id table, a queue. */
export interface VariableSpec {
  name: string
  shape: Shape
  dtype: VariableType
  /** Read and written by rows, never whole: for tables that may be as large as the memory. */
  table?: boolean
}

/** Numbers on their way into or out of a program. */
export interface Value {
  data: TypedArray
  shape: Shape
}

/**
 * Programs made ready to run on an engine, with the variables that they share. Calls are
 * synchronous and block the thread: feed it from workers.
 */
export interface Session {
  /** Runs a program. `data` of an input must not be changed while the call lasts. */
  run(program: string, inputs?: Record<string, Value>): Record<string, Value>
  /** Values of a variable, or of its rows `from` (inclusive) to `to` (exclusive). */
  read(variable: string, from?: number, to?: number): TypedArray
  /** Sets a variable, or the rows of it that start at `from`. */
  write(variable: string, data: TypedArray, from?: number): void
  /** Tensors that the engine holds outside of variables; constant from step to step, or there is a leak. */
  liveTensors(): number
  dispose(): void
}

/** A TensorFlow.js backend that can run programs. */
export interface Engine {
  readonly name: 'tensorflow' | 'wasm'
  readonly device: 'gpu' | 'cpu'
  /** One line on what runs and where it comes from. */
  readonly description: string
  /**
   * `precision` is that of matrix products, float32 by default.
   * @throws UserError `precision` if the engine does not have it.
   */
  open(programs: Record<string, Program>, variables: readonly VariableSpec[], precision?: Precision): Session
}

/** Some of the rows of a step. */
export interface Part {
  inputs: Record<string, Value>
  /** How many rows; the loss must be a mean over them. */
  rows: number
}
