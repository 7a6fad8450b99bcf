import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Warning } from '../../src/base/warning.js'
import { parsePreprocessing } from '../../src/checkpoint/preprocessing.js'
import { readImageProcessor } from '../../src/checkpoint/processorFile.js'
import { decodeAll } from '../../src/data/pictures/decode.js'
import { writeNormalized } from '../../src/data/pictures/normalize.js'
import { parseModelConfig } from '../../src/models/config.js'
import { assertRefused } from '../errors/refused.js'
import { root } from '../fixtures.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const fixtures = join(root, 'test/fixtures/checkpoints')
const configOf = (architecture: string) =>
  parseModelConfig({ model_type: architecture, vision_config: { image_size: 16, patch_size: 8 } }, 'config.json')
const clip = configOf('clip')

describe('Settings of image processors', () => {
  const cases = JSON.parse(readFileSync(join(fixtures, 'processors.json'), 'utf8')) as {
    architecture: string
    settings: Record<string, unknown>
    first: number[]
  }[]
  for (const { architecture, settings, first } of cases) {
    test(`when a ${architecture} says ${JSON.stringify(settings)} then pixels are those of transformers`, async () => {
      const preprocessing = parsePreprocessing(settings, configOf(architecture), 'processor')
      const options = { size: 16, fit: preprocessing.fit, maxPixels: 1e6 }
      const [picture] = await decodeAll(['picture.png'], { folder: fixtures }, options)
      assert.ok(picture instanceof Uint8Array)
      const pixels = new Float32Array(3 * 16 * 16)
      writeNormalized(picture, preprocessing, pixels, 0)
      // Of each channel four pixels of the middle row.
      const found = first.map((_, i) => pixels[Math.floor(i / 4) * 256 + 8 * 16 + (i % 4) * 4])
      // Two steps of 1/255 on the scale of the deviation.
      const bound = (2 * 2) / 255 / Math.min(...preprocessing.std)
      for (const [i, value] of found.entries()) assert.ok(Math.abs(value - first[i]) < bound, `${found} ≠ ${first}`)
    })
  }

  const warnings = (json: Record<string, unknown>) => {
    const found: Warning[] = []
    const preprocessing = parsePreprocessing(json, clip, 'processor', (warning) => found.push(warning))
    return { preprocessing, found: found.map(({ id, what }) => `${id}: ${what}`) }
  }
  const square = { height: 16, width: 16 }
  const whole = {
    ...{ size: square, resample: 3, do_center_crop: false, do_rescale: true, do_normalize: true },
    ...{ image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] },
  }

  test('when the processor is not known then its keys count if it has all of them, and that is said', async () => {
    const { preprocessing, found } = warnings({ ...whole, image_processor_type: 'OtherImageProcessor' })
    assert.deepEqual([preprocessing.fit, preprocessing.mean], ['fill', [0.5, 0.5, 0.5]])
    assert.match(found.join(), /^preprocessor-type: mim does not know the processor OtherImageProcessor/)
    const { image_std: _, ...less } = whole
    const parse = () => warnings({ ...less, image_processor_type: 'OtherImageProcessor' })
    await assertRefused(parse, 'preprocessor', /OtherImageProcessor is not known and its file lacks image_std/)
  })

  test('when a key is not known then it is named, and a step that mim does not do is refused', async () => {
    assert.deepEqual(warnings({ ...whole, do_pad: false, pad_size: null, do_convert_rgb: true }).found, [])
    assert.deepEqual(warnings({ ...whole, crop_pct: 0.9 }).found, [
      'preprocessor-key: mim does not know and ignores crop_pct',
    ])
    await assertRefused(() => warnings({ ...whole, do_pad: true }), 'preprocessor', /do_pad is true; expected false/)
    await assertRefused(
      () => warnings({ ...whole, do_flip_channel_order: true }),
      'preprocessor',
      /do_flip_channel_order/,
    )
  })

  test('when a value is of another kind then the error shows it', async () => {
    const refused = (json: object, message: RegExp) =>
      assertRefused(() => warnings({ ...whole, ...json }), 'preprocessor', message)
    await refused(
      { size: { longest_edge: 16 } },
      /size \{"longest_edge":16\}; expected a number, \{"shortest_edge": n\}/,
    )
    await refused({ size: { shortest_edge: 16, longest_edge: 32 } }, /size \{"shortest_edge":16,"longest_edge":32\}/)
    await refused({ size: { max_height: 16, max_width: 16 } }, /size /)
    await refused({ size: '16' }, /size "16"/)
    await refused({ image_mean: [0.5, 0.5] }, /image_mean \[0\.5,0\.5\]/)
    await refused({ image_std: [0.5, 0, 0.5] }, /image_std \[0\.5,0,0\.5\]/)
    await refused({ do_normalize: 'false' }, /do_normalize "false"/)
    await refused({ resample: 'bicubic' }, /resample "bicubic"/)
    await refused({ rescale_factor: 0 }, /rescale_factor 0/)
  })
})

describe('The file with the settings', () => {
  const settings = {
    size: { shortest_edge: 16 },
    crop_size: 16,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  }
  let made = 0
  function read(files: Record<string, object>) {
    const path = join(folder, `${made++}`)
    mkdirSync(path)
    for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), JSON.stringify(content))
    const warnings: Warning[] = []
    const { preprocessing, json } = readImageProcessor(path, clip, (warning) => warnings.push(warning))
    return { preprocessing, json, warnings: warnings.map(({ id }) => id) }
  }
  const [nested, plain] = ['processor_config.json', 'preprocessor_config.json']

  test('when transformers 5 wrote it then it is as if transformers 4 had', () => {
    const wanted = read({ [plain]: settings })
    assert.deepEqual(wanted.preprocessing.mean, [0.5, 0.5, 0.5])
    assert.deepEqual(read({ [nested]: { image_processor: settings, processor_class: 'CLIPProcessor' } }), wanted)
    assert.deepEqual(read({ [nested]: { processor_class: 'CLIPProcessor' }, [plain]: settings }), wanted)
  })

  test('when both are there then the first of transformers 5 is read, and a difference is said', () => {
    const other = { ...settings, image_mean: [0.1, 0.1, 0.1] }
    const { preprocessing, warnings } = read({ [nested]: { image_processor: settings }, [plain]: other })
    assert.deepEqual([preprocessing.mean, warnings], [[0.5, 0.5, 0.5], ['preprocessor-differs']])
    assert.deepEqual(read({ [nested]: { image_processor: settings }, [plain]: settings }).warnings, [])
  })

  test('when there is none then the one of the architecture is assumed, and said', () => {
    for (const files of [{}, { [nested]: { processor_class: 'CLIPProcessor' } }]) {
      const { preprocessing, warnings } = read(files)
      assert.deepEqual([preprocessing.mean[0], warnings], [0.48145466, ['preprocessor-missing']])
    }
  })

  test('when image_processor is no object then it is refused', () =>
    assertRefused(
      () => read({ [nested]: { image_processor: 'CLIP' } }),
      'preprocessor',
      /image_processor: "CLIP"; expected an/,
    ))
})
