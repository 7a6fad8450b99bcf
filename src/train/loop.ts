/** The training loop of all stages: steps, evaluations, early stop, states for resuming. It knows no model. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { replaceFolder } from '../files.js'
import type { Run } from './run.js'

export interface StepResult {
  loss: number
  /** Rows of data that the step learnt from. */
  samples: number
  /** Milliseconds that it waited for them. */
  waited: number
  learningRate: number
}

/** What is being trained. */
export interface Trainee {
  /** Does step `step` (from 0); all randomness must come from the seed and this number. */
  step(step: number): Promise<StepResult>
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
  saveEvery: number
  /** The metric of `evaluate` that tells the best model. */
  monitor: string
  /** Whether a greater value is better. */
  greaterIsBetter: boolean
  /** Evaluations without a better value after which training stops; 0: never. */
  patience: number
}

interface Progress {
  step: number
  best: { step: number; metrics: Record<string, number> } | undefined
  evaluationsSinceBest: number
}

/**
 * Trains, and leaves the best model in `checkpoint/` of the run folder. The state in `last/` is
 * enough to go on with the same result after a kill.
 * @returns the metrics of the best evaluation, its step, and how many steps were done.
 */
export async function train(trainee: Trainee, options: LoopOptions, run: Run) {
  const progress = (await restore(trainee, run)) ?? { step: 0, best: undefined, evaluationsSinceBest: 0 }
  const { steps, logEvery, evaluateEvery, patience } = options
  const bar = run.terminal.bar('training', steps)
  const meter = new Meter()
  let live = -1
  const first = progress.step + 1
  const stopsEarly = () => patience > 0 && progress.evaluationsSinceBest >= patience

  while (progress.step < steps && !stopsEarly()) {
    const started = performance.now()
    const result = await trainee.step(progress.step)
    progress.step++
    const { step } = progress
    meter.add(result, performance.now() - started)
    if (!Number.isFinite(result.loss))
      throw new Error(`the loss is ${result.loss} at step ${step}; lower the learning rate`)

    // From the second step of a process on every tensor of a step must be gone when it ends.
    if (step === first + 1) live = trainee.liveTensors()
    if (live >= 0 && trainee.liveTensors() !== live) {
      throw new Error(`tensors leak: ${trainee.liveTensors()} after step ${step}, ${live} after step ${first + 1}`)
    }
    const note = `loss ${result.loss.toFixed(4)}`
    bar.update(step, note)
    const evaluates = step % evaluateEvery === 0 || step === steps
    if (step % logEvery === 0 || evaluates) {
      const row = { step, ...meter.read(), learning_rate: result.learningRate }
      run.history.add(row)
      run.log.info(row, 'step')
    }
    if (evaluates) await evaluate(trainee, options, progress, run)
    if (run.isInterrupted || evaluates || step % options.saveEvery === 0) await save(trainee, progress, run)
    if (run.isInterrupted) {
      bar.stop()
      throw run.interruption()
    }
    await turn()
  }
  bar.stop()
  if (stopsEarly()) run.say(`stopped early: no better ${options.monitor} in ${patience} evaluations`)
  return { best: progress.best?.metrics ?? {}, bestStep: progress.best?.step ?? 0, steps: progress.step }
}

async function evaluate(trainee: Trainee, options: LoopOptions, progress: Progress, run: Run): Promise<void> {
  const metrics = await trainee.evaluate()
  const { monitor, greaterIsBetter } = options
  const value = metrics[monitor]
  const before = progress.best?.metrics[monitor]
  const isBetter = before === undefined || (greaterIsBetter ? value > before : value < before)
  run.history.add({ step: progress.step, ...metrics })
  const text = Object.entries(metrics).map(([name, v]) => `${name} ${v.toFixed(4)}`)
  run.say(`step ${progress.step}: ${text.join(', ')}${isBetter ? ' (best)' : ''}`, { step: progress.step, ...metrics })
  progress.evaluationsSinceBest = isBetter ? 0 : progress.evaluationsSinceBest + 1
  if (!isBetter) return
  progress.best = { step: progress.step, metrics }
  await replaceFolder(run.path('checkpoint'), (folder) => trainee.saveModel(folder))
}

async function save(trainee: Trainee, progress: Progress, run: Run): Promise<void> {
  await run.history.save()
  await replaceFolder(run.path('last'), async (folder) => {
    await trainee.saveState(folder)
    writeFileSync(join(folder, 'trainer_state.json'), JSON.stringify(progress, null, 2))
  })
}

async function restore(trainee: Trainee, run: Run): Promise<Progress | undefined> {
  const file = run.path('last', 'trainer_state.json')
  if (!existsSync(file)) return undefined
  const progress = JSON.parse(readFileSync(file, 'utf8')) as Progress
  await trainee.loadState(run.path('last'))
  await run.history.load(progress.step)
  run.say(`resumed at step ${progress.step}`)
  return progress
}

/** Rates since the last reading. */
class Meter {
  private loss = 0
  private count = 0
  private samples = 0
  private waited = 0
  private elapsed = 0

  add({ loss, samples, waited }: StepResult, milliseconds: number): void {
    this.loss += loss
    this.count++
    this.samples += samples
    this.waited += waited
    this.elapsed += milliseconds
  }

  read() {
    const row = {
      loss: this.loss / this.count,
      samples_per_second: this.samples / (this.elapsed / 1000),
      data_wait_share: this.waited / this.elapsed,
    }
    this.loss = this.count = this.samples = this.waited = this.elapsed = 0
    return row
  }
}
