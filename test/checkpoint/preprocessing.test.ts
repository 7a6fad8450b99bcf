import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { readModelFolder } from '../../src/checkpoint/model.js'
import { parsePreprocessing } from '../../src/checkpoint/preprocessing.js'
import { decodeAll } from '../../src/data/pictures/decode.js'
import { writeNormalized } from '../../src/data/pictures/normalize.js'
import { textEncoder } from '../../src/data/text/tokenizer.js'
import { SafetensorsFile } from '../../src/formats/safetensors.js'
import { parseModelConfig } from '../../src/models/config.js'
import { encoderShape } from '../../src/models/encoder.js'
import { sharedFile } from '../fixtures.js'

for (const name of ['hf-clip', 'hf-chinese_clip', 'hf-siglip']) {
  const { path, skip } = sharedFile(`fixtures/${name}`)
  describe(name, { skip }, () => {
    test('when texts are encoded then token ids are those of transformers', () => {
      const model = readModelFolder(path)
      const { length, config } = encoderShape(model)
      const texts = JSON.parse(readFileSync(`${path}/texts.json`, 'utf8')) as string[]
      const expected = new SafetensorsFile(`${path}/expected.safetensors`)
      assert.equal(length, expected.shape('input_ids')[1])
      const { encode } = textEncoder(model.tokenizer, length, config.text.padToken)
      assert.deepEqual(encode(texts), expected.ints('input_ids'))
      expected.close()
    })

    test('when pictures are decoded then pixels are those of transformers', async () => {
      const { preprocessing, config } = readModelFolder(path)
      const size = config.vision.imageSize
      const files = readdirSync(`${path}/images`).sort()
      const pictures = await decodeAll(
        files,
        { folder: `${path}/images` },
        { size, fit: preprocessing.fit, maxPixels: 1e7 },
      )
      const expected = new SafetensorsFile(`${path}/expected.safetensors`).floats('pixel_values')
      const found = new Float32Array(expected.length)
      for (const [i, picture] of pictures.entries()) {
        assert.ok(picture instanceof Uint8Array)
        writeNormalized(picture, preprocessing, found, i * 3 * size * size)
      }
      const mean = found.reduce((total, x, i) => total + Math.abs(x - expected[i]), 0) / found.length
      assert.ok(mean < 1 / 255, `mean difference ${mean}`)
    })
  })
}

const clip = parseModelConfig({ model_type: 'clip' }, 'config.json')
const siglip = parseModelConfig({ model_type: 'siglip' }, 'config.json')
const parse = (json: Record<string, unknown>, config = clip) =>
  parsePreprocessing(json, config, 'preprocessor_config.json')

describe('preprocessor_config.json', () => {
  test('when keys are left out then the processors of transformers say what they mean', () => {
    const { mean, fit } = parse({})
    assert.deepEqual([mean[0], fit], [0.48145466, 'cover'])
    assert.deepEqual(parse({}, siglip), { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], fit: 'fill' })
  })

  test('when size is a number then CLIP fits the shorter side to it and SigLIP both', () => {
    assert.equal(parse({ size: 224, crop_size: 224 }).fit, 'cover')
    assert.equal(parse({ size: 224 }, siglip).fit, 'fill')
  })

  test('when size is a square and not cropped then pictures are stretched', () => {
    assert.equal(parse({ size: { height: 224, width: 224 }, do_center_crop: false }).fit, 'fill')
  })

  test('when more is kept than the square, or by another filter, then the fit says so', () => {
    assert.deepEqual(parse({ size: { shortest_edge: 256 }, resample: 2 }).fit, {
      mode: 'cover',
      shortest: 256,
      kernel: 'linear',
    })
  })

  test('when values are scaled otherwise than by 1/255 then mean and deviation follow', () => {
    const half = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] }
    const pixels = (json: Record<string, unknown>) => {
      const out = new Float32Array(3)
      writeNormalized([0, 51, 255], parse({ ...half, ...json }), out, 0)
      return [...out].map((x) => Math.round(x * 1e4) / 1e4)
    }
    assert.deepEqual(pixels({}), [-1, -0.6, 1])
    assert.deepEqual(pixels({ rescale_factor: 2 / 255 }), [-1, -0.2, 3])
    assert.deepEqual(pixels({ do_normalize: false }), [0, 0.2, 1])
    assert.deepEqual(pixels({ do_rescale: false, do_normalize: false }), [0, 51, 255])
  })

  test('when pictures would not become squares of the size of the model then it is refused', () => {
    const wrong = [
      { size: { shortest_edge: 336 }, crop_size: 336 },
      { size: { shortest_edge: 200 } },
      { size: { shortest_edge: 224 }, do_center_crop: false },
      { size: { height: 224, width: 300 } },
      { do_resize: false },
      { resample: 5 },
    ]
    for (const json of wrong) assert.throws(() => parse(json), { id: 'preprocessor' }, JSON.stringify(json))
  })
})
