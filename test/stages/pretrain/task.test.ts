import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readModelFolder } from '../../../src/checkpoint/model.js'
import { openWeights } from '../../../src/checkpoint/weights.js'
import { loadConfig } from '../../../src/config/load.js'
import { pretrainConfig } from '../../../src/config/pretrain.js'
import { prepareCatalogue } from '../../../src/data/items/catalogue.js'
import { loadItems } from '../../../src/data/items/items.js'
import { pictureOptions } from '../../../src/data/pictures/prepare.js'
import { Database } from '../../../src/data/tables/duckdb.js'
import { textEncoder } from '../../../src/data/text/tokenizer.js'
import { encoderPrograms, encoderShape } from '../../../src/models/encoder.js'
import { Parameters } from '../../../src/nn/parameters.js'
import { splitItems } from '../../../src/stages/pretrain/split.js'
import { PretrainTask } from '../../../src/stages/pretrain/task.js'
import { encodeItems } from '../../../src/stages/shared/encode.js'
import { takeStep } from '../../../src/train/step.js'
import { workplace } from '../../e2e/stages.js'
import { onEachEngine } from '../../engines.js'
import { sharedFile } from '../../fixtures.js'

const folder = await workplace()

await onEachEngine('Trained foundation models', (engine) => {
  for (const name of ['hf-clip', 'hf-chinese_clip', 'hf-siglip']) {
    const { path, skip } = sharedFile(`fixtures/${name}`)
    test(`when ${name} is trained, saved and read again then its vectors are the same`, { skip }, async () => {
      const config = loadConfig(pretrainConfig, { flags: { 'train.batch': 8, 'data.cache': join(folder, 'cache') } })
      const source = readModelFolder(path)
      const model = { ...source, mim: { fusion: { width: 20 } } }
      const shape = encoderShape(model)
      const db = await Database.open()
      const items = await loadItems(db, join(folder, 'tiny/items.parquet'), config.data.columns)
      const text = textEncoder(model.tokenizer, shape.length, shape.config.text.padToken)
      const options = pictureOptions(config.data, shape.config.vision.imageSize, model.preprocessing.fit)
      const catalogue = await prepareCatalogue(items, text, options, () => {})
      db.close()
      const split = splitItems(catalogue, config)
      const task = new PretrainTask(engine, catalogue, split, model, shape, config)
      const before = await task.heldOutVectors()
      for (const step of [0, 1]) await takeStep(task, step, { ...config.train, steps: 2 })
      const trained = await task.heldOutVectors()
      const saved = join(folder, `${name} ${engine.name}`)
      mkdirSync(saved)
      task.saveModel(saved)

      const again = readModelFolder(saved)
      assert.deepEqual(encoderShape(again), shape)
      const p = new Parameters()
      const programs = encoderPrograms(p, shape)
      const session = engine.open(
        programs,
        p.list().map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      )
      const weights = openWeights(saved)
      for (const parameter of p.list()) session.write(parameter.name, weights.read(parameter)!)
      weights.close()
      const read = await encodeItems(session, catalogue, split.heldOut, shape, again.preprocessing)
      session.dispose()
      await task.close()
      for (const kind of ['image', 'text', 'content'] as const) {
        const distance = (a: Float32Array) => a.reduce((d, x, i) => Math.max(d, Math.abs(x - trained[kind][i])), 0)
        assert.ok(distance(read[kind]) <= 1e-6, `${kind}: ${distance(read[kind])}`)
        assert.ok(distance(before[kind]) > 1e-5, `${kind} learned nothing`)
      }
    })
  }
})
