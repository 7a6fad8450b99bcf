import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SafetensorsFile } from '../../src/checkpoint/safetensors.js'
import { ctrConfig } from '../../src/config/ctr.js'
import { loadConfig } from '../../src/config/load.js'
import { type ContentTable, quantise } from '../../src/data/contentTable.js'
import { buildDataset, type CtrDataset } from '../../src/data/ctrDataset.js'
import type { Engine } from '../../src/engine/index.js'
import { Random } from '../../src/random.js'
import { CtrTrainee } from '../../src/stages/ctrTrainee.js'
import { onEachEngine } from '../engines.js'

const [rows, items, users, width] = [60, 7, 4, 5]

/** Impressions at random; all items but the last one have a content vector. */
function dataset(type: ContentTable['type']): CtrDataset {
  const random = Random.of('dataset')
  const draw = (count: number, below: number) => Int32Array.from({ length: count }, () => random.int(below))
  const historyStart = draw(rows, 30)
  const impressions = {
    rows,
    user: draw(rows, users),
    item: draw(rows, items),
    label: Uint8Array.from(draw(rows, 2)),
    events: draw(40, items),
    historyStart,
    historyEnd: historyStart.map((start) => start + random.int(10)),
    users,
    items,
    context: {},
  }
  const floats = Float32Array.from({ length: items * width }, () => random.normal()).fill(0, 0, width)
  const { values, scale } = type === 'int8' ? quantise(floats) : { values: floats, scale: 1 }
  const rowOf = Int32Array.from({ length: items }, (_, item) => (item + 1) % items)
  const content = { width, vectors: values, type, scale, rows: items, rowOf }
  return buildDataset(impressions, {}, content, { split: { train: 0.6, valid: 0.2 }, user: true, minCount: 1 })
}

const small = ['model.dim=3', 'model.attention=[4]', 'model.head=[6]', 'model.contentDim=4', 'train.batch=16']

function open(engine: Engine, sets: string[], type: ContentTable['type'] = 'float32'): CtrTrainee {
  return new CtrTrainee(engine, dataset(type), loadConfig(ctrConfig, { sets: [...small, ...sets] })).plan(8)
}

const all = { from: 0, to: rows }

await onEachEngine('training of a click model', (engine) => {
  const options = [
    ['train.ema=0.5', 'train.accumulate=3', 'train.tableOptimizer=rowwise-adagrad', 'train.weightDecay=0.1'],
    ['train.optimizer=nesterov', 'train.tableOptimizer=adagrad'],
    ['train.optimizer=adagrad'],
  ]
  for (const sets of options) {
    test(`when a run with ${sets.join(' ')} is resumed then it goes on as if it had not stopped`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mim-state-'))
      const whole = open(engine, sets)
      for (let at = 0; at < 4; at++) {
        if (at === 2) whole.saveState(folder)
        await whole.step(at)
      }
      const resumed = open(engine, sets)
      resumed.loadState(folder)
      for (let at = 2; at < 4; at++) await resumed.step(at)
      assert.deepEqual(resumed.predict(all), whole.predict(all))
      whole.close()
      resumed.close()
      rmSync(folder, { recursive: true })
    })
  }

  test('when averages are kept then the model that is saved has them under the names of the parameters', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mim-model-'))
    const averaged = open(engine, ['train.ema=0.5'])
    for (let at = 0; at < 3; at++) await averaged.step(at)
    averaged.saveModel(folder)
    averaged.saveState(folder)
    const [model, state] = ['model', 'state'].map((name) => new SafetensorsFile(join(folder, `${name}.safetensors`)))
    assert.deepEqual(model.floats('id.head.0.weight'), state.floats('ema.id.head.0.weight'))
    assert.notDeepEqual(model.floats('id.head.0.weight'), state.floats('id.head.0.weight'))
    model.close()
    state.close()
    const plain = open(engine, [])
    plain.loadModel(folder)
    assert.deepEqual(plain.predict(all), averaged.predict(all))
    averaged.close()
    plain.close()
    rmSync(folder, { recursive: true })
  })

  test('when content vectors are int8 then predictions are close to those of float32', () => {
    const [exact, rounded] = (['float32', 'int8'] as const).map((type) => {
      const trainee = open(engine, [], type)
      const scores = trainee.predict(all)
      trainee.close()
      return scores
    })
    const difference = Math.max(...exact.map((score, i) => Math.abs(score - rounded[i])))
    assert.ok(difference > 0 && difference < 0.01, `${difference}`)
  })
})
