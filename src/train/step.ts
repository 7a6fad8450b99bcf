/** One training step: fetches its batch, measures the wait, and computes the learning rate. */
import { rateAt, type Schedule } from './schedule.js'
import type { StepResult, TrainingTask } from './task.js'

export interface TakenStep extends StepResult {
  learningRate: number
  /** Milliseconds spent waiting for the batch. */
  waited: number
  /** Milliseconds of the whole step. */
  elapsed: number
}

/** Takes step `step` (from 0) of `options.steps`. `withoutBatch` is called with the error if there is no batch for it. */
export async function takeStep(
  task: TrainingTask,
  step: number,
  options: Schedule & { steps: number },
  withoutBatch: (error: unknown) => Promise<void> = async () => {},
): Promise<TakenStep> {
  const started = performance.now()
  await task.beforeStep?.(step)
  const waiting = performance.now()
  const batch = await task.batches.at(step).catch(async (error) => {
    await withoutBatch(error)
    throw error
  })
  const waited = performance.now() - waiting
  const learningRate = rateAt(options, step, options.steps)
  const result = task.step(batch, step, learningRate)
  return { ...result, learningRate, waited, elapsed: performance.now() - started }
}
