import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ColumnStore } from '../../../src/data/tables/column.js'
import type { ContentTable } from '../../../src/data/vectors/contentTable.js'
import { SafetensorsFile } from '../../../src/formats/safetensors.js'
import { takeStep } from '../../../src/train/step.js'
import { onEachEngine } from '../../engines.js'
import { allRows, openTask, schedule } from './clickData.js'

await onEachEngine('training of a click model', (engine) => {
  const options = [
    ['train.ema=0.5', 'train.accumulate=3', 'train.tableOptimizer=rowwise-adagrad', 'train.weightDecay=0.1'],
    ['train.optimizer=nesterov', 'train.tableOptimizer=adagrad'],
    ['train.optimizer=adagrad'],
  ]
  for (const sets of options) {
    test(`when a run with ${sets.join(' ')} is resumed then it goes on as if it had not stopped`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mim-state-'))
      const whole = openTask(engine, sets)
      for (let at = 0; at < 4; at++) {
        if (at === 2) whole.saveState(folder)
        await takeStep(whole, at, schedule)
      }
      const resumed = openTask(engine, sets)
      resumed.loadState(folder)
      for (let at = 2; at < 4; at++) await takeStep(resumed, at, schedule)
      assert.deepEqual(resumed.predict(allRows), whole.predict(allRows))
      await whole.close()
      await resumed.close()
      rmSync(folder, { recursive: true })
    })
  }

  test('when columns are read from files then a buffer of all rows trains as memory does, a small one by itself', async () => {
    const files = new ColumnStore(mkdtempSync(join(tmpdir(), 'mim-columns-')))
    const sets = [
      'model.behaviorSearch.kind=soft',
      'model.behaviorSearch.topK=4',
      'train.batch=4',
      'train.negatives=0.8',
    ]
    const trained = async (store: ColumnStore | undefined, buffer: number, resumeAt = 12) => {
      const folder = mkdtempSync(join(tmpdir(), 'mim-state-'))
      const open = () => openTask(engine, [...sets, `train.buffer=${buffer}`], { store })
      let task = open()
      // Three passes over the rows, or nearly.
      for (let at = 0; at < 12; at++) {
        if (at === resumeAt) {
          task.saveState(folder)
          await task.close()
          task = open()
          task.loadState(folder)
        }
        await takeStep(task, at, { ...schedule, steps: 12 })
      }
      const scores = task.predict(allRows)
      await task.close()
      rmSync(folder, { recursive: true })
      return scores
    }
    const whole = await trained(files, 100)
    assert.deepEqual(whole, await trained(undefined, 100))
    const small = await trained(files, 8)
    assert.notDeepEqual(small, whole)
    assert.deepEqual(await trained(files, 8, 5), small)
    files.close()
  })

  test('when averages are kept then the model that is saved has them under the names of the parameters', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mim-model-'))
    const averaged = openTask(engine, ['train.ema=0.5'])
    for (let at = 0; at < 3; at++) await takeStep(averaged, at, schedule)
    averaged.saveModel(folder)
    averaged.saveState(folder)
    const [model, state] = ['model', 'state'].map((name) => new SafetensorsFile(join(folder, `${name}.safetensors`)))
    assert.deepEqual(model.floats('id.head.0.weight'), state.floats('ema.id.head.0.weight'))
    assert.notDeepEqual(model.floats('id.head.0.weight'), state.floats('id.head.0.weight'))
    model.close()
    state.close()
    const plain = openTask(engine, [])
    plain.loadModel(folder)
    assert.deepEqual(plain.predict(allRows), averaged.predict(allRows))
    await averaged.close()
    await plain.close()
    rmSync(folder, { recursive: true })
  })

  test('when content vectors are int8 then predictions are close to those of float32', async () => {
    const scores = async (type: ContentTable['type']) => {
      const task = openTask(engine, [], { type })
      const scores = task.predict(allRows)
      await task.close()
      return scores
    }
    const [exact, rounded] = [await scores('float32'), await scores('int8')]
    const difference = Math.max(...exact.map((score, i) => Math.abs(score - rounded[i])))
    assert.ok(difference > 0 && difference < 0.01, `${difference}`)
  })
})
