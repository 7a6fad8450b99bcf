/** Progress of a training, saved with its state, so that a resumed run equals an uninterrupted one. */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { moveTo, replaceFolder } from '../base/files.js'
import { readJson } from '../base/ownFile.js'
import type { Run } from './run.js'
import type { TakenStep } from './step.js'
import type { TrainingTask } from './task.js'

export interface Progress {
  step: number
  best: Best | undefined
  evaluationsSinceBest: number
  /** Sums over the steps since the last row of history. */
  sums: Sums
}

export interface Best {
  step: number
  metrics: Record<string, number>
}

interface Sums {
  loss: number
  /** Terms of the loss, by name. */
  named: Record<string, number>
  steps: number
  samples: number
  /** Milliseconds that steps waited for batches, and that they took in total. */
  waited: number
  elapsed: number
}

const none = (): Sums => ({ loss: 0, named: {}, steps: 0, samples: 0, waited: 0, elapsed: 0 })

export const start = (): Progress => ({ step: 0, best: undefined, evaluationsSinceBest: 0, sums: none() })

/** Content of `last/` in the run folder, with the task's state: progress, and a checkpoint moved by `setAside`. */
const stateFile = 'trainer_state.json'
const asideFolder = 'checkpoint'

export async function save(task: TrainingTask, progress: Progress, run: Run): Promise<void> {
  await run.history.save()
  await replaceFolder(run.path('last'), async (folder) => {
    await task.saveState(folder)
    writeFileSync(join(folder, stateFile), JSON.stringify(progress, null, 2))
  })
  run.saved()
}

/** Numbers that are not finite are null in JSON. */
const count = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN)
const saved = z.object({
  step: z.int().nonnegative(),
  best: z.object({ step: z.int().nonnegative(), metrics: z.record(z.string(), count) }).optional(),
  evaluationsSinceBest: z.int().nonnegative().default(0),
  sums: z
    .object({
      ...{ loss: count, steps: count, samples: count, waited: count, elapsed: count },
      named: z.record(z.string(), count),
    })
    .prefault(none),
})
const recovery = {
  remedy: 'restore the folder last/ of the run from a copy, or start again with --overwrite or in another --out',
}

/**
 * Loads the state of the run folder into the task, if there is one, and returns its progress.
 * @throws UserError `file-broken`
 */
export async function restore(task: TrainingTask, run: Run): Promise<Progress> {
  const file = run.path('last', stateFile)
  if (!existsSync(file)) return start()
  const progress: Progress = { ...start(), ...readJson(file, saved, recovery) }
  await task.loadState(run.path('last'))
  const lost = await run.history.load(progress.step)
  if (lost !== undefined) {
    const what = `it cannot be read: ${lost}; the run continues without the history of its first ${progress.step} steps`
    run.warn({ id: 'history-broken', where: run.path('history.parquet'), what })
  }
  putBack(progress, run)
  run.say(`resumed at step ${progress.step}`)
  return progress
}

/**
 * Moves the best checkpoint so far into the state's folder, to make room for the model of an additional evaluation at
 * the time limit. A resumed run restores it and continues as if that evaluation had not happened.
 */
export function setAside(run: Run): void {
  if (existsSync(run.path('checkpoint'))) moveTo(run.path('checkpoint'), run.path('last', asideFolder))
}

/** Undoes `setAside`. */
function putBack(progress: Progress, run: Run): void {
  const aside = run.path('last', asideFolder)
  if (existsSync(aside) || !progress.best) rmSync(run.path('checkpoint'), { recursive: true, force: true })
  if (existsSync(aside)) moveTo(aside, run.path('checkpoint'))
}

/** Sums figures of the steps between two rows of history. */
export class Meter {
  private readonly process = { samples: 0, elapsed: 0 }

  constructor(private readonly sums: Sums) {}

  add({ loss, named = {}, samples, waited, elapsed }: TakenStep): void {
    const { sums } = this
    sums.loss += loss
    for (const [name, value] of Object.entries(named)) sums.named[name] = (sums.named[name] ?? 0) + value
    sums.steps++
    sums.samples += samples
    sums.waited += waited
    sums.elapsed += elapsed
    this.process.samples += samples
    this.process.elapsed += elapsed
  }

  /** Share of the time that steps waited for batches. */
  get waitShare(): number {
    return this.sums.waited / this.sums.elapsed
  }

  /** Rows per second over all steps of this process; NaN without a step. */
  get samplesPerSecond(): number {
    return (1000 * this.process.samples) / this.process.elapsed
  }

  /** Returns means and rates since the last row, and starts again. */
  read() {
    const { loss, named, steps, samples, elapsed } = this.sums
    const row = {
      loss: loss / steps,
      ...Object.fromEntries(Object.entries(named).map(([name, sum]) => [name, sum / steps])),
      samples_per_second: samples / (elapsed / 1000),
      data_wait_share: this.waitShare,
    }
    Object.assign(this.sums, none())
    return row
  }
}
