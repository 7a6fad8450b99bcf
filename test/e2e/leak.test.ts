import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import type { Session } from '../../src/engine/index.js'
import * as op from '../../src/ops/index.js'
import { program } from '../../src/ops/program.js'
import { train } from '../../src/train/loop.js'
import { Run } from '../../src/train/run.js'
import type { TrainingTask } from '../../src/train/task.js'
import { onEachEngine } from '../engines.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()

/** Counts its steps in a variable; from step `leaksFrom` (from 0) on each leaves a tensor behind. */
function counting(session: Session, leaksFrom: number): TrainingTask & { kept: tf.Tensor[] } {
  const kept: tf.Tensor[] = []
  return {
    kept,
    batches: { at: async () => undefined },
    step(_, step) {
      const loss = session.run('count')['count'].data[0]
      if (step >= leaksFrom) kept.push(tf.zeros([1]))
      return { loss, samples: 1 }
    },
    evaluate: async () => ({ auc: session.read('count')[0] }),
    saveState() {},
    loadState() {},
    saveModel() {},
    liveTensors: () => session.liveTensors(),
  }
}

const rate = { learningRate: 0, schedule: 'constant', warmup: 0 } as const
const options = { ...rate, logEvery: 10, evaluateEvery: 10, saveEvery: 10, monitor: 'auc', patience: 0, maxTime: null }

await onEachEngine('the training loop', (engine) => {
  const trains = async (name: string, task: TrainingTask, steps: number) => {
    const out = join(folder, engine.name, name)
    return Run.with({ out, stage: 'test', config: {}, resume: true }, (run) => train(task, { ...options, steps }, run))
  }
  const open = () => {
    const count = program({ count: op.variable('count', []) }, [
      op.assign('count', op.add(op.variable('count', []), 1)),
    ])
    return engine.open({ count }, [{ name: 'count', shape: [], dtype: 'float32' }])
  }

  // Where both engines are loaded a tensor goes to the one set last.
  before(async () => {
    await tf.setBackend(engine.name)
  })

  test('when every tensor of a step is gone at its end then training goes through', async () => {
    const session = open()
    const { best, steps } = await trains('clean', counting(session, Number.POSITIVE_INFINITY), 6)
    assert.deepEqual([best, steps], [{ auc: 6 }, 6])
    session.dispose()
  })

  test('when a step leaves a tensor behind then training stops at that step, after a resume as well', async () => {
    const session = open()
    for (const [before, leaking, step] of [
      [0, 0, 3],
      [0, 4, 5],
      [4, 4, 7],
    ]) {
      const name = `${before} ${leaking}`
      if (before > 0) await trains(name, counting(session, Number.POSITIVE_INFINITY), before)
      const task = counting(session, leaking)
      await assert.rejects(trains(name, task, 12), new RegExp(`tensors leak: .* after step ${step},`))
      for (const tensor of task.kept) tensor.dispose()
    }
    session.dispose()
  })
})
