/** The part of a training task that all stages share: its session, state, parameters and batches. */
import { join } from 'node:path'
import type { Engine, Session, VariableSpec } from '../engine/index.js'
import { loadVariables, saveVariables } from '../engine/state.js'
import type { ParameterSpec } from '../nn/parameters.js'
import type { Program } from '../ops/program.js'
import type { TypedArray } from '../ops/tensor.js'
import type { Prefetcher } from './prefetcher.js'
import type { StepResult, TrainingTask } from './task.js'

export interface TaskSetup {
  programs: Record<string, Program>
  /** All variables of the session. */
  variables: readonly VariableSpec[]
  /** Those that the next step depends on: the content of a saved state. */
  state: readonly VariableSpec[]
  /** The model's parameters, under their own names. */
  parameters: readonly ParameterSpec[]
  /** Prefix of the variables that are evaluated and saved: `ema.` where averages are kept, else empty. */
  prefix: string
}

/** Values of parameters, as `openWeights` of a checkpoint gives them. */
export interface ParameterValues {
  read(parameter: ParameterSpec): Float32Array | null
}

const stateFile = 'state.safetensors'

export abstract class SessionTask<Batch> implements TrainingTask<Batch>, AsyncDisposable {
  protected readonly session: Session
  private readonly names: ReadonlySet<string>

  constructor(
    engine: Engine,
    private readonly setup: TaskSetup,
    public batches: Prefetcher<Batch>,
  ) {
    this.names = new Set(setup.variables.map(({ name }) => name))
    this.session = engine.open(setup.programs, setup.variables)
  }

  abstract step(batch: Batch, step: number, rate: number): StepResult
  abstract evaluate(): Promise<Record<string, number>>
  abstract saveModel(folder: string): void

  saveState(folder: string): void {
    saveVariables(this.session, this.setup.state, join(folder, stateFile))
  }

  loadState(folder: string): void {
    loadVariables(this.session, this.setup.state, join(folder, stateFile))
  }

  liveTensors(): number {
    return this.session.liveTensors()
  }

  async close(): Promise<void> {
    await this.batches.close()
    this.session.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Sets a parameter to its first values, and with it the variables that start as its copy: its average, `copies`. */
  protected start(parameter: string, values: Float32Array, ...copies: string[]): void {
    for (const name of new Set([parameter, this.setup.prefix + parameter, ...copies])) {
      if (this.names.has(name)) this.session.write(name, values)
    }
  }

  /** The value of a parameter that is evaluated and saved: its average where there is one. */
  protected readonly value = (parameter: string): TypedArray => this.session.read(this.setup.prefix + parameter)

  /** Sets the parameters that are evaluated to those of a saved model. */
  protected setParameters(saved: ParameterValues): void {
    const { parameters, prefix } = this.setup
    for (const parameter of parameters) this.session.write(prefix + parameter.name, saved.read(parameter)!)
  }
}
