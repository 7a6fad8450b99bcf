/** The training loop of all stages: steps, evaluations, early stop, states for resuming. It knows no model. */
import { setImmediate as turn } from 'node:timers/promises'
import { secondsIn } from '../base/duration.js'
import { replaceFolder } from '../base/files.js'
import { estimateCost } from './estimate.js'
import { isGreaterBetter } from './monitor.js'
import { type Best, Meter, type Progress, restore, save, setAside } from './progress.js'
import type { Run } from './run.js'
import { takeStep } from './step.js'
import type { LoopOptions, Trained, TrainingTask } from './task.js'

/**
 * Trains, and leaves the best model in `checkpoint/` of the run folder. The state in `last/` is
 * enough to go on with the same result after a kill, or after the time was up.
 * @throws UserError `monitor-unknown` of `isGreaterBetter`.
 */
export async function train(task: TrainingTask, options: LoopOptions, run: Run): Promise<Trained> {
  if (options.metrics) isGreaterBetter(options.monitor, options.metrics)
  if (run.isDry) return estimateCost(task, options, run)
  const progress = await restore(task, run)
  const { steps, logEvery, evaluateEvery, patience, maxTime } = options
  const bar = run.terminal.bar('training', steps)
  const meter = new Meter(progress.sums)
  let live = -1
  const first = progress.step + 1
  const stopsEarly = () => patience > 0 && progress.evaluationsSinceBest >= patience
  const limit = maxTime === null ? Number.POSITIVE_INFINITY : secondsIn(maxTime)
  // At least one step: a run that is resumed again and again must come to its end.
  const timeIsUp = () => progress.step >= first && run.seconds >= limit
  let evaluated = false

  while (progress.step < steps && !stopsEarly() && !timeIsUp()) {
    const result = await takeStep(task, progress.step, options)
    const step = ++progress.step
    meter.add(result)
    if (!Number.isFinite(result.loss))
      throw new Error(`the loss is ${result.loss} at step ${step}; lower the learning rate`)

    // From the second step of a process on every tensor of a step must be gone when it ends.
    if (step === first + 1) live = task.liveTensors()
    if (live >= 0 && task.liveTensors() !== live) {
      throw new Error(`tensors leak: ${task.liveTensors()} after step ${step}, ${live} after step ${first + 1}`)
    }
    bar.update(step, `loss ${result.loss.toFixed(4)}, data wait ${(100 * meter.waitShare).toFixed(0)} %`)
    evaluated = step % evaluateEvery === 0 || step === steps
    if (step % logEvery === 0 || evaluated) {
      const row = { step, ...meter.read(), learning_rate: result.learningRate }
      run.history.add(row)
      run.log.info(row, 'step')
    }
    if (evaluated) await evaluate(task, options, progress, run)
    if (run.isInterrupted || evaluated || step % options.saveEvery === 0) await save(task, progress, run)
    if (run.isInterrupted) {
      bar.stop()
      throw run.interruption()
    }
    await turn()
  }
  bar.stop()
  // Without a step there is still a model to judge and to leave.
  if (steps === 0 && !progress.best) await evaluate(task, options, progress, run)
  const { step } = progress
  const { samplesPerSecond } = meter
  if (step < steps && !stopsEarly()) {
    const best = evaluated ? progress.best : await evaluateBetween(task, options, progress, run)
    run.say(`stopped at step ${step} of ${steps}: ${maxTime} are over; --resume goes on`)
    return { best: best?.metrics ?? {}, bestStep: best?.step ?? 0, steps: step, samplesPerSecond, stopped: 'max-time' }
  }
  const early = step < steps
  if (early) run.say(`stopped early: no better ${options.monitor} in ${patience} evaluations`)
  const { best } = progress
  return {
    best: best?.metrics ?? {},
    bestStep: best?.step ?? 0,
    steps: step,
    samplesPerSecond,
    stopped: early ? 'patience' : 'steps',
  }
}

export async function evaluate(task: TrainingTask, options: LoopOptions, progress: Progress, run: Run): Promise<void> {
  const { metrics, isBetter } = await judge(task, options, progress, run)
  run.history.add({ step: progress.step, ...metrics })
  progress.evaluationsSinceBest = isBetter ? 0 : progress.evaluationsSinceBest + 1
  if (!isBetter) return
  progress.best = { step: progress.step, metrics }
  await replaceFolder(run.path('checkpoint'), (folder) => task.saveModel(folder))
}

/** An evaluation that is not due, when the time is up: a resumed run knows nothing of it. Returns the best one. */
async function evaluateBetween(task: TrainingTask, options: LoopOptions, progress: Progress, run: Run) {
  await save(task, progress, run)
  const { metrics, isBetter } = await judge(task, options, progress, run)
  if (!isBetter) return progress.best
  setAside(run)
  await replaceFolder(run.path('checkpoint'), (folder) => task.saveModel(folder))
  return { step: progress.step, metrics } satisfies Best
}

/** Evaluates, says what came out, and whether it is better than all before. */
async function judge(task: TrainingTask, { monitor }: LoopOptions, { step, best }: Progress, run: Run) {
  const metrics = await task.evaluate()
  const greater = isGreaterBetter(monitor, Object.keys(metrics))
  const value = metrics[monitor]
  const before = best?.metrics[monitor]
  const isBetter = before === undefined || (greater ? value > before : value < before)
  const text = Object.entries(metrics).map(([name, v]) => `${name} ${v.toFixed(4)}`)
  run.say(`step ${step}: ${text.join(', ')}${isBetter ? ' (best)' : ''}`, { step, ...metrics })
  return { metrics, isBetter }
}
