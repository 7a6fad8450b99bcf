/** The training loop of all stages: steps, evaluations, early stopping, states to resume from. It knows no model. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { secondsIn } from '../base/duration.js'
import { UserError } from '../base/errors.js'
import { replaceFolder } from '../base/files.js'
import { expectedError } from '../base/places.js'
import { estimateCost } from './estimate.js'
import { isGreaterBetter } from './monitor.js'
import type { Run } from './run.js'
import { type Best, Meter, type Progress, restore, save, setAside } from './savedState.js'
import { takeStep } from './step.js'
import type { LoopOptions, Stopped, Trained, TrainingTask } from './task.js'

/**
 * Trains and writes the best model to `checkpoint/` of the run folder. The state in `last/` is enough to resume with
 * the same result after a kill, or after the time limit.
 * @throws UserError `diverged` when the loss is not finite, and `monitor-unknown` of `isGreaterBetter`.
 */
export async function train(task: TrainingTask, options: LoopOptions, run: Run): Promise<Trained> {
  const { steps, monitor, patience } = options
  if (options.metrics) isGreaterBetter(monitor, options.metrics)
  if (run.isDry) return estimateCost(task, options, run)
  run.training()
  const progress = await restore(task, run)
  const meter = new Meter(progress.sums)
  const stopsEarly = () => patience > 0 && progress.evaluationsSinceBest >= patience
  const timeIsUp = timeLimit(options, progress, run)
  const checkLeaks = leakCheck(task, progress)
  const bar = run.terminal.bar('training', steps)
  let evaluated = false
  try {
    while (progress.step < steps && !stopsEarly() && !timeIsUp()) {
      const taken = await takeStep(task, progress.step, options, (error) => keepState(error, task, progress, run))
      const step = ++progress.step
      if (!Number.isFinite(taken.loss)) throw diverged(taken.loss, step)
      meter.add(taken)
      checkLeaks()
      bar.update(step, `loss ${taken.loss.toFixed(4)}, data wait ${(100 * meter.waitShare).toFixed(0)} %`)
      evaluated = isDue(step, options.evaluateEvery) || step === steps
      if (evaluated || isDue(step, options.logEvery))
        log({ ...meter.read(), learning_rate: taken.learningRate }, step, run)
      if (evaluated) await evaluate(task, options, progress, run)
      if (evaluated || isDue(step, options.saveEvery) || run.isInterrupted) await save(task, progress, run)
      if (run.isInterrupted) throw run.interruption()
      await nextTurn()
    }
  } finally {
    bar.stop()
  }

  const result = (best: Best | undefined, stopped: Stopped): Trained => {
    const { samplesPerSecond } = meter
    return { best: best?.metrics ?? {}, bestStep: best?.step ?? 0, steps: progress.step, samplesPerSecond, stopped }
  }
  if (progress.step < steps && !stopsEarly()) {
    const best = evaluated ? progress.best : await evaluateBetween(task, options, progress, run)
    run.say(
      `stopped at step ${progress.step} of ${steps}: time limit of ${options.maxTime} reached; --resume continues`,
    )
    return result(best, 'max-time')
  }
  // Without a step there is still a model to evaluate and to save.
  if (steps === 0 && !progress.best) await evaluate(task, options, progress, run)
  if (progress.step === steps) return result(progress.best, 'steps')
  run.say(`stopped early: no better ${monitor} in ${patience} evaluations`)
  return result(progress.best, 'patience')
}

/** Saves the steps taken before inputs got lost, e.g. pictures that are read during the run; the user can restore them. */
async function keepState(error: unknown, task: TrainingTask, progress: Progress, run: Run): Promise<void> {
  if (!expectedError(error) || progress.step === 0) return
  await save(task, progress, run)
  run.say(`the state of step ${progress.step} is saved; --resume continues`)
}

/** Whether something that happens every `every` steps happens after step `step`; 0: never. */
const isDue = (step: number, every: number) => every > 0 && step % every === 0

function log(row: Record<string, number>, step: number, run: Run): void {
  run.history.add({ step, ...row })
  run.log.info({ step, ...row }, 'step')
}

function diverged(loss: number, step: number): UserError {
  return new UserError({
    id: 'diverged',
    what: `training diverged: the loss is ${loss} at step ${step}`,
    remedy: 'lower train.learningRate, raise train.warmup, or set train.clipNorm',
  })
}

/** Whether the time limit is reached. At least one step is taken, so that a run that is resumed often makes progress. */
function timeLimit({ maxTime }: LoopOptions, progress: Progress, run: Run): () => boolean {
  const limit = maxTime === null ? Number.POSITIVE_INFINITY : secondsIn(maxTime)
  const first = progress.step + 1
  return () => progress.step >= first && run.seconds >= limit
}

/** A check after each step: from the second step of a process on, no tensor of a step may remain. */
function leakCheck(task: TrainingTask, progress: Progress): () => void {
  const second = progress.step + 2
  let expected = 0
  return () => {
    const { step } = progress
    if (step < second) return
    const live = task.liveTensors()
    if (step === second) expected = live
    if (live !== expected) throw new Error(`tensors leak: ${live} after step ${step}, ${expected} after step ${second}`)
  }
}

async function evaluate(task: TrainingTask, options: LoopOptions, progress: Progress, run: Run): Promise<void> {
  const { metrics, isBetter } = await judge(task, options, progress, run)
  run.history.add({ step: progress.step, ...metrics })
  progress.evaluationsSinceBest = isBetter ? 0 : progress.evaluationsSinceBest + 1
  if (!isBetter) return
  progress.best = { step: progress.step, metrics }
  await replaceFolder(run.path('checkpoint'), (folder) => task.saveModel(folder))
}

/** An evaluation at the time limit, which a resumed run knows nothing of. Returns the best evaluation. */
async function evaluateBetween(task: TrainingTask, options: LoopOptions, progress: Progress, run: Run) {
  await save(task, progress, run)
  const { metrics, isBetter } = await judge(task, options, progress, run)
  if (!isBetter) return progress.best
  setAside(run)
  await replaceFolder(run.path('checkpoint'), (folder) => task.saveModel(folder))
  return { step: progress.step, metrics } satisfies Best
}

/** Evaluates, reports the metrics, and determines whether they are better than all before. */
async function judge(task: TrainingTask, { monitor }: LoopOptions, { step, best }: Progress, run: Run) {
  const metrics = await task.evaluate()
  const greater = isGreaterBetter(monitor, Object.keys(metrics))
  const value = metrics[monitor]
  const before = best?.metrics[monitor]
  // NaN, of a metric that these rows do not have, is better than nothing and than no number.
  const isFirst = before === undefined || (Number.isNaN(before) && !Number.isNaN(value))
  const isBetter = isFirst || (greater ? value > before : value < before)
  const text = Object.entries(metrics).map(([name, v]) => `${name} ${v.toFixed(4)}`)
  run.say(`step ${step}: ${text.join(', ')}${isBetter ? ' (best)' : ''}`, { step, ...metrics })
  return { metrics, isBetter }
}
