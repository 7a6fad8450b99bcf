import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { SafetensorsFile } from '../../src/formats/safetensors.js'
import { parseModelConfig } from '../../src/models/config.js'
import { imageFeatures, textFeatures } from '../../src/models/dualEncoder.js'
import { Parameters } from '../../src/nn/parameters.js'
import { input } from '../../src/ops/index.js'
import { exportOnnx } from '../../src/ops/onnx/index.js'
import { program } from '../../src/ops/program.js'
import { openModel } from '../../src/runtime/model.js'
import { onEachEngine } from '../engines.js'
import { sharedFile } from '../fixtures.js'

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length)
  return Array.from(a).reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i])), 0)
}

const names = ['hf-clip', 'hf-chinese_clip', 'hf-siglip']

/** A checkpoint of the fixtures with what transformers makes of eight pictures and texts. */
function load(path: string, change: (json: { text_config: object }) => void = () => {}) {
  const json = JSON.parse(readFileSync(`${path}/config.json`, 'utf8'))
  change(json)
  const config = parseModelConfig(json, `${path}/config.json`)
  const weights = new SafetensorsFile(`${path}/model.safetensors`)
  const expected = new SafetensorsFile(`${path}/expected.safetensors`)
  const p = new Parameters()
  const size = config.vision.imageSize
  const ids = input('ids', [-1, expected.shape('input_ids')[1]], 'int32')
  const programs = {
    image: program({ y: imageFeatures(p, input('pixels', [-1, 3, size, size]), config) }),
    text: program({ y: textFeatures(p, ids, config) }),
  }
  const feeds = {
    image: { pixels: { data: expected.floats('pixel_values'), shape: expected.shape('pixel_values') } },
    text: { ids: { data: expected.ints('input_ids'), shape: expected.shape('input_ids') } },
  }
  return { p, weights, expected, programs, feeds }
}

await onEachEngine('Hugging Face checkpoints', (engine) => {
  const { path, skip } = sharedFile('fixtures/hf-clip')
  test('when CLIP is published with the end token 2 then texts are read at their highest id', { skip }, () => {
    const { p, weights, expected, programs, feeds } = load(path, ({ text_config }) => {
      Object.assign(text_config, { eos_token_id: 2 })
    })
    const session = engine.open(
      { text: programs.text },
      p.list().map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
    )
    for (const { name } of p.list()) session.write(name, weights.floats(name))
    const { y } = session.run('text', feeds.text)
    assert.ok(largestDifference(y.data, expected.floats('text_features')) < 1e-4)
    session.dispose()
  })

  for (const name of names) {
    const { path, skip } = sharedFile(`fixtures/${name}`)
    test(`when ${name} is loaded then features are those of transformers`, { skip }, () => {
      const { p, weights, expected, programs, feeds } = load(path)
      const session = engine.open(
        programs,
        p.list().map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      )
      for (const { name, shape } of p.list()) {
        assert.deepEqual([...weights.shape(name)], [...shape], name)
        session.write(name, weights.floats(name))
      }
      for (const tower of ['image', 'text'] as const) {
        const { y } = session.run(tower, feeds[tower])
        assert.ok(largestDifference(y.data, expected.floats(`${tower}_features`)) < 1e-4, tower)
      }
      session.dispose()
    })
  }
})

describe('Hugging Face checkpoints (onnx)', () => {
  for (const name of names) {
    const { path, skip } = sharedFile(`fixtures/${name}`)
    test(`when ${name} is exported then features are those of transformers`, { skip }, async () => {
      const { weights, expected, programs, feeds } = load(path)
      const directory = mkdtempSync(join(tmpdir(), 'mim-onnx-'))
      for (const tower of ['image', 'text'] as const) {
        const file = join(directory, `${tower}.onnx`)
        exportOnnx(file, programs[tower], (name) => weights.floats(name))
        const model = await openModel(file, { provider: 'cpu' }, () => {})
        const { y } = await model.run(feeds[tower])
        assert.ok(largestDifference(y.data, expected.floats(`${tower}_features`)) < 1e-4, tower)
        await model.close()
      }
      rmSync(directory, { recursive: true })
    })
  }
})
