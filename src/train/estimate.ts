/** `--dry-run`: a few steps, an evaluation and a save, to check that all works and to estimate the cost of the run. */
import { replaceFolder } from '../base/files.js'
import type { Estimate, Run } from './run.js'
import { Meter, save, start } from './savedState.js'
import { takeStep } from './step.js'
import type { LoopOptions, TrainingTask } from './task.js'

/** Steps to take; the first one is not timed, because the engine prepares itself in it. */
const trialSteps = 3

/** Runs a few steps, one evaluation and one save in the temporary folder of `run`. */
export async function estimateCost(task: TrainingTask, options: LoopOptions, run: Run) {
  const progress = start()
  const steps = Math.min(trialSteps, options.steps)
  const meter = new Meter(progress.sums)
  const times: number[] = []
  for (; progress.step < steps; progress.step++) {
    const taken = await takeStep(task, progress.step, options)
    meter.add(taken)
    times.push(taken.elapsed / 1000)
  }
  const counted = times.length > 1 ? times.slice(1) : times
  const evaluating = performance.now()
  const metrics = await task.evaluate()
  const saving = performance.now()
  await replaceFolder(run.path('checkpoint'), (folder) => task.saveModel(folder))
  await save(task, progress, run)
  const ended = performance.now()
  const evaluations = Math.max(1, Math.ceil(options.steps / options.evaluateEvery))
  const estimate: Estimate = {
    steps: options.steps,
    step_seconds: counted.reduce((a, b) => a + b, 0) / Math.max(1, counted.length),
    evaluations,
    evaluation_seconds: (saving - evaluating) / 1000,
    save_seconds: (ended - saving) / 1000,
  }
  run.estimated(estimate, times.reduce((a, b) => a + b, 0) + (ended - evaluating) / 1000)
  const { samplesPerSecond } = meter
  return { best: metrics, bestStep: steps, steps, samplesPerSecond, stopped: 'dry-run' as const }
}
