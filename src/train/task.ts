/** What the training loop needs from a stage, and what it returns. */
import type { Schedule } from './schedule.js'

export interface StepResult {
  /** Mean loss over the rows of the batch, before the update. */
  loss: number
  /** Terms of the loss and other figures for the log, by name; the same names at every step. */
  named?: Record<string, number>
  /** Rows in the batch. */
  samples: number
}

/** Batches by step number; a `Prefetcher` is one. */
export interface BatchSource<Batch> {
  at(step: number): Promise<Batch>
}

/** A model in training. The loop fetches the batch and computes the learning rate; the task owns model and loss. */
export interface TrainingTask<Batch = unknown> {
  /** Where the loop gets batches from. */
  readonly batches: BatchSource<Batch>
  /** Called before the batch of step `step` is fetched; may replace `batches`. */
  beforeStep?(step: number): Promise<void>
  /** Trains on one batch. All randomness must come from the seed and `step` (from 0). */
  step(batch: Batch, step: number, rate: number): StepResult
  /** Returns metrics by name. May set variables by what it measures, but never those that `saveState` writes. */
  evaluate(): Promise<Record<string, number>>
  /** Writes everything that the next step depends on into `folder`. */
  saveState(folder: string): void | Promise<void>
  loadState(folder: string): void | Promise<void>
  /** Writes the files of the trained model into `folder`. */
  saveModel(folder: string): void | Promise<void>
  /** Number of tensors alive in the engine, to detect leaks. */
  liveTensors(): number
}

export interface LoopOptions extends Schedule {
  steps: number
  logEvery: number
  /** Steps between evaluations. */
  evaluateEvery: number
  /** Steps between saves of the state; every evaluation saves it too. 0: at evaluations only. */
  saveEvery: number
  /** The metric of `evaluate` that determines the best model. */
  monitor: string
  /** Names of the metrics that `evaluate` returns, if they are known beforehand. */
  metrics?: readonly string[]
  /** Training stops after this many evaluations without improvement; 0: never. */
  patience: number
  /** Training stops this long after the start of the run, such as `30m`; null: no limit. */
  maxTime: string | null
}

/** Why training ended. */
export type Stopped = 'steps' | 'patience' | 'max-time' | 'dry-run'

export interface Trained {
  /** Metrics of the best evaluation, and its step. */
  best: Record<string, number>
  bestStep: number
  /** Steps taken. */
  steps: number
  /** Rows per second over the steps of this process, waiting included; NaN without a step. */
  samplesPerSecond: number
  stopped: Stopped
}
