/** Files of every kind that `mim` reads, and a quick command that reads each. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { SafetensorsFile } from '../../../src/formats/safetensors.js'
import { torchFileOf } from '../../formats/zips.js'
import { commands } from './badInput.js'
import { damaged } from './damage.js'
import type { Place, Sound } from './prepared.js'

const { encode, predict, evaluate, check, neighbors } = commands
type Fuzz = (place: Place, seed: string) => readonly string[] | Promise<readonly string[]>

/** A copy of something sound with one file damaged. */
const within =
  (
    what: keyof Sound,
    file: string,
    command: (place: Place, copy: string) => readonly string[] | Promise<readonly string[]>,
  ): Fuzz =>
  (place, seed) => {
    const copy = place.copy(what)
    const path = join(copy, file)
    writeFileSync(path, damaged(readFileSync(path), seed))
    return command(place, copy)
  }

/** As `encode`, for four items, so that a checkpoint that can be read takes little time. */
const encodeFew = async (place: Place, checkpoint: string) => {
  await place.table('data/items.parquet', 'SELECT * FROM {items} LIMIT 4')
  const { sound, out, path } = place
  return encode({ sound: { ...sound, data: path('data') }, out } as Place, checkpoint)
}
/** As `predict`, for ten impressions. */
const predictFew = async (place: Place, run: string) =>
  predict(place, run, '--impressions', await place.table('few.parquet', 'SELECT * FROM {impressions} LIMIT 10'))

const picture = sharp({
  create: {
    width: 40,
    height: 30,
    channels: 3,
    background: '#c81e1e',
    noise: { type: 'gaussian', mean: 120, sigma: 30 },
  },
})
const encoded = new Map<string, Promise<Buffer>>()
const query =
  (format: 'png' | 'jpeg' | 'webp' | 'avif' | 'gif' | 'tiff'): Fuzz =>
  async (place, seed) => {
    if (!encoded.has(format)) encoded.set(format, picture.clone().toFormat(format).toBuffer())
    const path = place.file(`bad.${format}`, damaged((await encoded.get(format))!, seed))
    return neighbors(place.sound.table, '--image', path, '--json')
  }

const sampleOf = (_: Place, data: string) => ['sample', '--from', data, '--users', '3', '--out', `${data}-out`]
const published = 'tables/1'
const table = (copy: string) => join(copy, 'embeddings')

export const fuzzes: Record<string, Fuzz> = {
  'items.parquet': within('data', 'items.parquet', sampleOf),
  'behaviors.parquet': within('data', 'behaviors.parquet', sampleOf),
  'impressions.parquet': within('data', 'impressions.parquet', sampleOf),
  'predictions.parquet': async (place, seed) =>
    evaluate(place.file('bad.parquet', damaged(readFileSync(join(place.sound.ctr, 'predictions.parquet')), seed))),
  ...Object.fromEntries(
    (['png', 'jpeg', 'webp', 'avif', 'gif', 'tiff'] as const).map((format) => [format, query(format)]),
  ),
  ...Object.fromEntries(
    [
      'config.json',
      'mim.json',
      'preprocessor_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'model.safetensors',
      'mim.safetensors',
    ].map((file) => [file, within('checkpoint', file, encodeFew)]),
  ),
  'pytorch_model.bin': async (place, seed) => {
    const copy = place.copy('checkpoint')
    const weights = join(copy, 'model.safetensors')
    using file = new SafetensorsFile(weights)
    const tensors = file.names.map(
      (name) =>
        [name, { dtype: file.dtype(name), shape: file.shape(name), bytes: Buffer.from(file.raw(name)) }] as const,
    )
    writeFileSync(join(copy, 'pytorch_model.bin'), damaged(torchFileOf(new Map(tensors)), seed))
    rmSync(weights)
    return encodeFew(place, copy)
  },
  'manifest.json': within('embed', `${published}/manifest.json`, (_, copy) => check(table(copy))),
  'embedding.npy': within('embed', `${published}/embedding.npy`, (_, copy) => check(table(copy))),
  'item_id.npy': within('embed', `${published}/item_id.npy`, (_, copy) => neighbors(table(copy), '--item', '10004')),
  'present.npy': within('embed', `${published}/present.npy`, (_, copy) => check(table(copy))),
  'model.onnx': within('ctr', 'onnx/model.onnx', predictFew),
  'features.json': within('ctr', 'checkpoint/features.json', predictFew),
  'vocabulary.parquet': within('ctr', 'checkpoint/vocabulary.parquet', predictFew),
  'config.yaml of a run': within('ctr', 'config.yaml', predictFew),
  'metrics.json': within('ctr', 'metrics.json', (_, copy) => ['compare', copy, copy]),
  'a configuration': (place, seed) => [
    ...[
      'config',
      'ctr',
      '--config',
      place.file('bad.yaml', damaged(readFileSync(join(place.sound.ctr, 'config.yaml')), seed)),
    ],
  ],
}
