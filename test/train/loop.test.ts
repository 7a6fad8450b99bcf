import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { UserError } from '../../src/base/errors.js'
import { train } from '../../src/train/loop.js'
import { Run } from '../../src/train/run.js'
import type { LoopOptions, TrainingTask } from '../../src/train/task.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()

/** What evaluations after step 1, 2, … find: the best one of all is at a step at which none is due. */
const found = [3, 9, 1, 5, 2, 8, 4, 9, 2, 6]

/** A sum of the numbers of the steps; it shows whether a step was left out or done twice. */
class Summing implements TrainingTask<number> {
  private sum = 0

  batches = { at: async (step: number) => step + 1 }

  step(batch: number) {
    this.sum += batch
    return { loss: 1 / (this.sum + 0.1), samples: 4 }
  }

  async evaluate(): Promise<Record<string, number>> {
    const value = found[(Math.sqrt(8 * this.sum + 1) - 1) / 2 - 1]
    return { valid_auc: value, valid_logloss: value }
  }

  saveState(out: string): void {
    writeFileSync(join(out, 'sum'), `${this.sum}`)
  }

  loadState(out: string): void {
    this.sum = Number(readFileSync(join(out, 'sum'), 'utf8'))
  }

  saveModel(out: string): void {
    writeFileSync(join(out, 'model'), `${this.sum}`)
  }

  liveTensors = () => 0
}

const plain: LoopOptions = {
  learningRate: 0.1,
  schedule: 'cosine',
  warmup: 0.2,
  steps: 10,
  logEvery: 4,
  evaluateEvery: 3,
  saveEvery: 2,
  monitor: 'valid_auc',
  patience: 0,
  maxTime: null,
}

/** Trains in the run folder `name`; gives the result, the rows of history without rates, and the model that was kept. */
async function trained(name: string, options: Partial<LoopOptions> = {}) {
  const out = join(folder, name)
  return Run.with({ out, stage: 'test', config: {}, resume: true }, async (run) => {
    const { samplesPerSecond: _, ...result } = await train(new Summing(), { ...plain, ...options }, run)
    const history = run.history.rows.map(({ samples_per_second: _, data_wait_share: __, ...row }) => row)
    await run.finish({ stopped: result.stopped })
    return { result, history, model: Number(readFileSync(join(out, 'checkpoint', 'model'), 'utf8')) }
  })
}

test('when the time is up after every step then a run resumed to its end equals an undisturbed one', async () => {
  const whole = await trained('whole')
  assert.deepEqual(whole.result, {
    best: { valid_auc: 8, valid_logloss: 8 },
    bestStep: 6,
    steps: 10,
    stopped: 'steps',
  })
  const parts = []
  do parts.push(await trained('parts', { maxTime: '0s' }))
  while (parts.at(-1)!.result.stopped === 'max-time')
  assert.deepEqual(
    parts.map(({ result }) => result.steps),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  // Each part ends with the best model that it knows, of an evaluation of its own.
  assert.deepEqual(
    parts.slice(0, 3).map(({ result }) => [result.bestStep, result.best['valid_auc']]),
    [
      [1, 3],
      [2, 9],
      [3, 1],
    ],
  )
  assert.deepEqual(
    parts.slice(0, 3).map(({ model }) => model),
    [1, 3, 6],
  )
  assert.deepEqual(parts.at(-1), whole)
})

test('when a metric of losses or ranks is the monitor then the least value is the best', async () => {
  const { result, model } = await trained('least', { monitor: 'valid_logloss', evaluateEvery: 1 })
  assert.deepEqual([result.bestStep, model], [3, 6])
})

test('when evaluations get no better then training stops after as many as patience says', async () => {
  const { result } = await trained('patience', { patience: 2, evaluateEvery: 1 })
  assert.deepEqual([result.bestStep, result.steps, result.stopped], [2, 4, 'patience'])
})

test('when the loss is not finite then training ends as the mistake of a setting and keeps the last state', async () => {
  class Diverging extends Summing {
    constructor(
      private readonly from: number,
      private readonly loss: number,
    ) {
      super()
    }

    override step(batch: number) {
      const result = super.step(batch)
      return batch >= this.from ? { ...result, loss: this.loss } : result
    }
  }
  for (const [name, from, loss] of [
    ['diverged-late', 6, Number.NaN],
    ['diverged-first', 1, Number.POSITIVE_INFINITY],
  ] as const) {
    const out = join(folder, name)
    await assert.rejects(
      Run.with({ out, stage: 'test', config: {} }, (run) => train(new Diverging(from, loss), plain, run)),
      (error: UserError) =>
        error.id === 'diverged' &&
        error.message.includes(`the loss is ${loss} at step ${from}`) &&
        error.message.includes('lower train.learningRate'),
    )
    // The last state is that of step 4; without one there is nothing to keep.
    assert.equal(existsSync(join(out, 'last/sum')), from === 6)
    assert.equal(existsSync(out), from === 6)
  }
})

test('when saveEvery is 0 then evaluations alone save the state', async () => {
  class Saving extends Summing {
    saves = 0

    override saveState(out: string): void {
      super.saveState(out)
      this.saves++
    }
  }
  for (const [saveEvery, expected] of [
    [0, 4],
    [2, 7],
  ]) {
    const task = new Saving()
    const out = join(folder, `save-${saveEvery}`)
    await Run.with({ out, stage: 'test', config: {} }, (run) => train(task, { ...plain, saveEvery }, run))
    assert.equal(task.saves, expected)
  }
})

test('when the monitor is no metric with a better and a worse then training does not begin', async () => {
  for (const monitor of ['valid_acu', 'id_share']) {
    const metrics = ['valid_auc', 'id_share']
    await assert.rejects(
      trained('monitor', { monitor, metrics }),
      (error: UserError) =>
        error.id === 'monitor-unknown' && error.message.includes(monitor) && / one of valid_auc$/.test(error.message),
    )
    assert.equal(existsSync(join(folder, 'monitor')), false)
  }
})

test('when a run is estimated then it costs what its steps and evaluations do, and leaves no folder', async () => {
  const out = join(folder, 'dry')
  let place = ''
  const cost = await Run.with({ out, stage: 'test', config: {}, dry: true }, async (run) => {
    place = run.path()
    const { steps, stopped } = await train(new Summing(), plain, run)
    assert.deepEqual([steps, stopped], [3, 'dry-run'])
    assert.ok(existsSync(run.path('checkpoint', 'model')) && existsSync(run.path('last', 'sum')))
    return run.cost() as Record<string, number>
  })
  assert.deepEqual([existsSync(out), existsSync(place)], [false, false])
  assert.deepEqual([cost['steps'], cost['evaluations']], [10, 4])
  const training = 10 * cost['step_seconds'] + 4 * (cost['evaluation_seconds'] + cost['save_seconds'])
  assert.ok(cost['seconds'] > training && cost['peak_memory_mb'] > 10)
})
