import type { Program } from '../ops/program.js'
import type { Precision, Shape, TypedArray, VariableType } from '../ops/tensor.js'

/** A variable of a session: a model parameter, an optimizer moment, an id table, a queue. */
export interface VariableSpec {
  name: string
  shape: Shape
  dtype: VariableType
  /** Read and written by rows, never as a whole: for tables that may be as large as the memory. */
  table?: boolean
}

/** An input or output of a program. */
export interface Value {
  data: TypedArray
  shape: Shape
}

/**
 * Programs ready to run on an engine, with the variables that they share. Calls are synchronous and block the thread,
 * so worker threads should prepare inputs.
 */
export interface Session {
  /** Runs a program and returns its outputs by name. */
  run(program: string, inputs?: Record<string, Value>): Record<string, Value>
  /** Values of a variable, or of its rows `from` (inclusive) to `to` (exclusive). */
  read(variable: string, from?: number, to?: number): TypedArray
  /** Sets a variable, or its rows from `from` on. */
  write(variable: string, data: TypedArray, from?: number): void
  /** Number of tensors in the engine outside variables; it grows from step to step only if there is a leak. */
  liveTensors(): number
  dispose(): void
}

/** A TensorFlow.js backend that can run programs. */
export interface Engine {
  readonly name: 'tensorflow' | 'wasm'
  readonly device: 'gpu' | 'cpu'
  /** One line with library, version and device. */
  readonly description: string
  /**
   * `precision` applies to matrix products, float32 by default.
   * @throws UserError `precision` if the engine does not support it.
   */
  open(programs: Record<string, Program>, variables: readonly VariableSpec[], precision?: Precision): Session
}

/** Some of the rows of a step. */
export interface Part {
  inputs: Record<string, Value>
  /** Number of rows; the loss must be a mean over them. */
  rows: number
}
