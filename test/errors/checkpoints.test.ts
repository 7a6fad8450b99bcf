import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { newModel } from '../../src/checkpoint/create.js'
import { checkTowers, checkWeights, readModelFolder } from '../../src/checkpoint/model.js'
import { embedConfig } from '../../src/config/embed.js'
import { SafetensorsFile, writeSafetensors } from '../../src/formats/safetensors.js'
import { versionOf } from '../../src/stages/embed/describe.js'
import { queryVector } from '../../src/stages/embed/neighbors.js'
import type { EmbeddingTable } from '../../src/store/index.js'
import { writeSmallCheckpoint } from '../checkpoint/small.js'
import { temporaryFolder } from '../sample/folders.js'
import { assertRefused } from './refused.js'

const folder = await temporaryFolder()
const sizes = { imageSize: 16, patch: 8, width: 8, layers: 1, heads: 2, textLength: 8, projection: 8 }
const model = { ...sizes, vocabulary: 514, tokenizer: null }

/** A checkpoint without weights. */
async function checkpoint(name: string): Promise<string> {
  const { configJson, tokenizer } = newModel(model, [])
  const path = join(folder, name)
  await mkdir(path)
  await writeFile(join(path, 'config.json'), JSON.stringify(configJson))
  await writeFile(join(path, 'tokenizer.json'), JSON.stringify(tokenizer.tokenizer))
  await writeFile(join(path, 'tokenizer_config.json'), JSON.stringify(tokenizer.config))
  return path
}

test('when a folder has no config.json then it is no checkpoint', () =>
  assertRefused(() => readModelFolder(folder), 'checkpoint-missing', /config\.json/))

test('when a JSON file of a checkpoint is cut short then the error names it', async () => {
  const path = await checkpoint('cut short')
  await writeFile(join(path, 'config.json'), '{"model_type": ')
  await assertRefused(() => readModelFolder(path), 'json-broken', /cut short\/config\.json: /)
})

test('when sizes of a new model do not divide then the error names both', async () => {
  const make = (change: object) => () => newModel({ ...model, ...change }, [])
  await assertRefused(make({ imageSize: 15 }), 'model-shape', /model\.imageSize 15 .*model\.patch 8/)
  await assertRefused(make({ width: 9 }), 'model-shape', /model\.width 9 .*model\.heads 2/)
})

test('when a tokenizer names no end token then a new model refuses it', async () => {
  const path = await checkpoint('no end')
  const { tokenizer } = readModelFolder(path)
  const { eos_token: _, ...config } = tokenizer.config
  await writeFile(join(path, 'tokenizer_config.json'), JSON.stringify(config))
  await assertRefused(() => newModel({ ...model, tokenizer: path }, []), 'tokenizer-marks', /eos_token/)
})

test('when a tensor is of whole numbers then it is not read as floats', async () => {
  const path = join(folder, 'whole.safetensors')
  writeSafetensors(path, [{ name: 'ids', dtype: 'I32', shape: [2], data: () => Int32Array.of(1, 2) }])
  const file = new SafetensorsFile(path)
  await assertRefused(() => file.floats('ids'), 'tensor-type', /tensor 'ids' is I32; expected F64, F32, F16 or BF16/)
  file.close()
})

test('when neighbors of words or a picture are asked of another model, or the picture is broken, then it is refused', async () => {
  const path = join(folder, 'encoder')
  writeSmallCheckpoint(path)
  const config = embedConfig.parse({ checkpoint: path })
  const ask = (version: string, image: string) => () => {
    const table = { manifest: { model_version: version }, width: 8 } as EmbeddingTable
    return queryVector(config, table, { image }, () => {})
  }
  const image = join(folder, 'broken.jpg')
  await writeFile(image, 'no picture')
  await assertRefused(ask('0123', image), 'model-differs', /model 0123/)
  await assertRefused(ask(await versionOf(path), image), 'image-unreadable', /broken\.jpg: /)
})

test('when mim.json does not describe the trained fusion head then the checkpoint is refused', async () => {
  const path = join(folder, 'fused')
  writeSmallCheckpoint(path, true)
  const file = join(path, 'mim.json')
  const check = () => checkWeights(readModelFolder(path), () => {})
  check()
  checkTowers(readModelFolder(path))
  await writeFile(file, '{}')
  const empty = /fused\/mim\.json: there is no fusion in it, but mim\.safetensors has 'fusion\.\w+'; expected /
  await assertRefused(check, 'fusion-undescribed', empty)
  await assertRefused(() => checkTowers(readModelFolder(path)), 'fusion-undescribed', empty)
  await rm(file)
  await assertRefused(check, 'fusion-undescribed', /fused\/mim\.json: this file is missing, but /)
  // Without both files the towers are a checkpoint of their own.
  await rm(join(path, 'mim.safetensors'))
  check()
})
