/**
 * JPEG files to unit vectors, as `mim embed` makes them: encoders side by side, each of which decodes and resizes the
 * next batch while ONNX Runtime encodes this one. The image encoder of the workload `clip`, forward only.
 */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { mapAhead } from '../../src/base/prefetch.js'
import { Random } from '../../src/base/random.js'
import { embedConfig } from '../../src/config/embed.js'
import { pictureBytes } from '../../src/data/pictures/files.js'
import { renderSvg } from '../../src/data/pictures/libvips.js'
import { trainTokenizer } from '../../src/data/text/trainBpe.js'
import { initialValues } from '../../src/engine/state.js'
import { cpuRows, type EncoderSetup, exportModels } from '../../src/runtime/encoder.js'
import { EncoderLanes } from '../../src/runtime/lanes.js'
import { categories, colors, patterns } from '../../src/sample/market/attributes.js'
import { drawItem, drawLook } from '../../src/sample/market/drawing.js'
import { config, shape } from './clip.js'
import type { SessionWork } from './encoderThread.js'
import type { Figures, Size } from './measure.js'

const normalization = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }

export async function embed({ batch, steps = 10, threads = 0 }: Size, folder: string): Promise<Figures> {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.jpg'))
    .sort()
  const size = batch ?? Number(embedConfig.parse({}).batch)
  const models = mkdtempSync(join(tmpdir(), 'mim-bench-'))
  try {
    const lanes = await openEncoders(models, threads)
    await extract(lanes, folder, files.slice(0, 2 * size * lanes.count), size)
    const started = performance.now()
    const images = await extract(lanes, folder, files, size)
    const seconds = (performance.now() - started) / 1000
    const { count } = lanes
    await lanes.close()
    const encoding = await encoderOnly({ folder: models, batch: cpuRows, threads: 1, steps: steps * 4 }, count)
    const bare = await encoderOnly({ folder: models, batch: size, threads, steps }, 1)
    return {
      images_per_s: images / seconds,
      images,
      encoder_only_images_per_s: encoding,
      percent_of_bare_session: (100 * images) / seconds / bare,
    }
  } finally {
    rmSync(models, { recursive: true })
  }
}
async function openEncoders(folder: string, threads: number): Promise<EncoderLanes> {
  await exportModels(shape, folder, (spec) => initialValues(spec, 1))
  const tokenizer = trainTokenizer(['none'], config.text.vocabulary, shape.length)
  const preprocessing = { ...normalization, fit: 'fill' } as const
  const setup: EncoderSetup = { folder, provider: 'cpu', threads, shape, tokenizer, preprocessing, maxImagePixels: 1e8 }
  return EncoderLanes.open(setup, () => {})
}

/** Encodes the pictures of `files` in `folder`, `batch` at a time; their number. */
async function extract(lanes: EncoderLanes, folder: string, files: readonly string[], batch: number): Promise<number> {
  const pieces = Array.from({ length: Math.ceil(files.length / batch) }, (_, i) =>
    files.slice(i * batch, (i + 1) * batch),
  )
  let images = 0
  const results = mapAhead(Readable.from(pieces), 2 * lanes.count, async (paths: string[]) => {
    const pictures = await Promise.all(paths.map((name) => pictureBytes(name, { folder })))
    return lanes.encode(
      pictures,
      paths.map(() => null),
    )
  })
  for await (const encoded of results) {
    for (const { vectors, broken } of encoded) {
      if (!vectors) throw new Error(`a picture does not decode: ${broken}`)
      images++
    }
  }
  return images
}

/** Pictures a second of `count` sessions side by side on ready pixels. */
async function encoderOnly(work: SessionWork, count: number): Promise<number> {
  const url = new URL('./encoderThread.js', import.meta.url)
  const threads = Array.from({ length: count }, () => new Worker(url, { workerData: work }))
  await Promise.all(threads.map((thread) => once(thread, 'message')))
  const speeds = threads.map(async (thread) => {
    const done = once(thread, 'message')
    thread.postMessage('go')
    return Number((await done)[0])
  })
  return (await Promise.all(speeds)).reduce((sum, speed) => sum + speed, 0)
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
    const attributes = { category: i % categories.length, color: i % colors.length, pattern: i % patterns.length }
    const svg = drawItem({ attributes, look: drawLook(random) }, random)
    const picture = await renderSvg(svg, (image) =>
      image.resize(pictureSide, pictureSide).jpeg({ quality: 90 }).toBuffer(),
    )
    await writeFile(join(folder, name), picture)
  }
}
