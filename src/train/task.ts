export interface StepResult {
  loss: number
  /** What the loss is made of, and whatever else the log should tell; the same names at every step. */
  named?: Record<string, number>
  /** Rows of data that the step learned from. */
  samples: number
  /** Milliseconds that it waited for them. */
  waited: number
  learningRate: number
}

/** What is being trained. */
export interface TrainingTask {
  /** Does step `step` (from 0); all randomness must come from the seed and this number. */
  step(step: number): Promise<StepResult>
  /** Metrics by name. May choose variables by what it sees; state that was saved before does not depend on it. */
  evaluate(): Promise<Record<string, number>>
  /** Writes everything that the next step depends on into `folder`. */
  saveState(folder: string): void | Promise<void>
  loadState(folder: string): void | Promise<void>
  /** Writes what users of the model need into `folder`. */
  saveModel(folder: string): void | Promise<void>
  /** Tensors alive in the engine, to catch leaks. */
  liveTensors(): number
}

export interface LoopOptions {
  steps: number
  logEvery: number
  /** Steps between evaluations. */
  evaluateEvery: number
  /** Steps between saves of the state, which every evaluation does too; 0: only these. */
  saveEvery: number
  /** The metric of `evaluate` that tells the best model. */
  monitor: string
  /** Names of metrics that `evaluate` gives, if they are known beforehand. */
  metrics?: readonly string[]
  /** Evaluations without a better value after which training stops; 0: never. */
  patience: number
  /** Time from the start of the run after which training ends, such as `30m`; null: none. */
  maxTime: string | null
}

/** Why training ended. */
export type Stopped = 'steps' | 'patience' | 'max-time' | 'dry-run'

export interface Trained {
  /** Metrics of the best evaluation, and its step. */
  best: Record<string, number>
  bestStep: number
  /** Steps done. */
  steps: number
  stopped: Stopped
}
