/**
 * JPEG files to unit vectors, as `mim embed` makes them: decode and resize the next batch while ONNX Runtime
 * encodes this one. The image encoder of the workload `clip`, forward only.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { decodeAll } from '../../src/data/decode.js'
import { writeNormalised } from '../../src/data/normalise.js'
import { prefetch } from '../../src/data/prefetch.js'
import { initialValues } from '../../src/engine/state.js'
import { encoderPrograms } from '../../src/models/encoder.js'
import { Parameters } from '../../src/nn/parameters.js'
import { exportOnnx } from '../../src/ops/onnx/index.js'
import { Random } from '../../src/random.js'
import { type Model, openModel } from '../../src/runtime/model.js'
import { categories, colours, patterns } from '../../src/sample/attributes.js'
import { drawItem, drawLook } from '../../src/sample/drawing.js'
import { config, shape } from './clip.js'
import { type Figures, type Size, secondsOf } from './measure.js'

const side = config.vision.imageSize
const normalisation = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }

export async function embed({ batch = 64, steps = 10, threads }: Size, folder: string): Promise<Figures> {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.jpg'))
    .sort()
    .map((name) => join(folder, name))
  const model = await openEncoder(threads)
  const encode = (pixels: Float32Array) =>
    model.run({ pixel_values: { data: pixels, shape: [pixels.length / (3 * side * side), 3, side, side] } })
  const extract = async (paths: string[]) => {
    let count = 0
    for await (const pixels of prefetch(batches(paths, batch), 2)) {
      const { image_embedding } = await encode(pixels)
      count += image_embedding.shape[0]
    }
    return count
  }
  await extract(files.slice(0, batch))
  const started = performance.now()
  const images = await extract(files)
  const seconds = (performance.now() - started) / 1000

  const random = Random.of('pixels')
  const pixels = Float32Array.from({ length: batch * 3 * side * side }, () => random.normal())
  const encoding = await secondsOf(() => encode(pixels), steps)
  await model.close()
  return { images_per_s: images / seconds, images, encoder_only_images_per_s: batch / encoding }
}

/** Pixels of `paths`, `batch` at a time. */
async function* batches(paths: string[], batch: number): AsyncGenerator<Float32Array> {
  for (let from = 0; from < paths.length; from += batch) {
    const bytes = await Promise.all(paths.slice(from, from + batch).map((path) => readFile(path)))
    const decoded = await decodeAll(bytes, { folder: '.' }, { size: side, fit: 'fill', maxPixels: 1e8 })
    const out = new Float32Array(decoded.length * 3 * side * side)
    for (const [i, pixels] of decoded.entries()) {
      if (!(pixels instanceof Uint8Array)) throw new Error(`${paths[from + i]} does not decode: ${pixels}`)
      writeNormalised(pixels, normalisation, out, i * 3 * side * side)
    }
    yield out
  }
}

async function openEncoder(threads: number | undefined): Promise<Model> {
  const p = new Parameters()
  const { image } = encoderPrograms(p, shape)
  const specs = new Map(p.list().map((parameter) => [parameter.name, parameter]))
  const path = join(tmpdir(), `mim-bench-${process.pid}.onnx`)
  try {
    exportOnnx(path, image, (name) => initialValues(specs.get(name)!, 1))
    return await openModel(path, { provider: 'cpu', threads }, () => {})
  } finally {
    rmSync(path, { force: true })
  }
}

/** Pixels along a side of the files: a shop's thumbnails. */
const pictureSide = 256

/** Draws `count` JPEG files of made-up products into `folder`; those that are there stay. */
export async function drawPictures(folder: string, count: number): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const have = new Set(readdirSync(folder))
  for (let i = 0; i < count; i++) {
    const name = `${String(i).padStart(5, '0')}.jpg`
    if (have.has(name)) continue
    const random = Random.of('bench', i)
    const attributes = { category: i % categories.length, colour: i % colours.length, pattern: i % patterns.length }
    const svg = drawItem({ attributes, look: drawLook(random) }, random)
    const picture = await sharp(Buffer.from(svg)).resize(pictureSide, pictureSide).jpeg({ quality: 90 }).toBuffer()
    await writeFile(join(folder, name), picture)
  }
}
