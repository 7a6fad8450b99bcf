/** The item encoder on ONNX Runtime: three models, for pictures, titles and the content vector, from one definition. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { requireMemory } from '../base/capacity.js'
import { UserError } from '../base/errors.js'
import { replaceFolder } from '../base/files.js'
import type { Preprocessing } from '../checkpoint/preprocessing.js'
import { openWeights } from '../checkpoint/weights.js'
import type { DecodeOptions } from '../data/pictures/decode.js'
import { writeNormalized } from '../data/pictures/normalize.js'
import { type TextEncoder, textEncoder } from '../data/text/tokenizer.js'
import type { TokenizerFiles } from '../data/text/tokenizerFiles.js'
import { contentWidth, type EncoderShape, encoderPrograms, wordWidth } from '../models/encoder.js'
import { type ParameterSpec, Parameters } from '../nn/parameters.js'
import type { TypedArray } from '../ops/index.js'
import { exportOnnx, type OnnxPrecision } from '../ops/onnx/index.js'
import { type Model, type ModelOptions, type Named, openModel } from './model.js'

const parts = ['image', 'text', 'content'] as const

/** Writes image.onnx, text.onnx and content.onnx into `folder`; see `encoderPrograms` for their inputs. */
export async function exportModels(
  shape: EncoderShape,
  folder: string,
  weight: (spec: ParameterSpec) => TypedArray,
  precision: OnnxPrecision = 'fp32',
): Promise<void> {
  const p = new Parameters()
  const programs = encoderPrograms(p, shape)
  const numbers = p.list().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
  // The weights of one tower are in memory at a time.
  const what = `a model of ${Math.round(numbers / 1e6)} million parameters`
  requireMemory((numbers * 4) / 2, what, 'use a smaller model, or a machine with more memory')
  const specs = new Map(p.list().map((parameter) => [parameter.name, parameter]))
  await replaceFolder(folder, (temporary) => {
    for (const part of parts)
      exportOnnx(join(temporary, `${part}.onnx`), programs[part], (name) => weight(specs.get(name)!), { precision })
  })
}

/**
 * Writes the models of a checkpoint into `folder`.
 * @throws UserError `tensor-missing`, and those of `openWeights`.
 */
export async function exportEncoder(
  checkpoint: string,
  shape: EncoderShape,
  folder: string,
  precision?: OnnxPrecision,
): Promise<void> {
  const weights = openWeights(checkpoint)
  const weight = (spec: ParameterSpec) => {
    const values = weights.read(spec)
    if (values) return values
    throw new UserError({ id: 'tensor-missing', where: checkpoint, what: `tensor '${spec.name}' is missing` })
  }
  try {
    await exportModels(shape, folder, weight, precision)
  } finally {
    weights.close()
  }
}

/** Settings to open an encoder: plain data that can be sent to another thread. */
export interface EncoderSetup extends ModelOptions {
  /** Folder of the models that `exportEncoder` wrote. */
  folder: string
  shape: EncoderShape
  tokenizer: TokenizerFiles
  preprocessing: Preprocessing
  /** A source picture with more pixels counts as broken. */
  maxImagePixels: number
}

/** How pictures are decoded for the encoder. */
export function pictureOptions({ shape, preprocessing, maxImagePixels }: EncoderSetup): DecodeOptions {
  return { size: shape.config.vision.imageSize, fit: preprocessing.fit, maxPixels: maxImagePixels }
}

/** Bytes of the weights of the models in `folder`. */
export function bytesOf(folder: string): number {
  const files = readdirSync(folder).map((name) => statSync(join(folder, name)).size)
  return files.reduce((sum, size) => sum + size, 0)
}

/** Unit vectors of a title; of its words only if they have a weight. */
interface TitleVectors {
  text: Float32Array
  words: Float32Array | null
}

/** Unit vectors of an item; null for a missing modality. */
export interface Vectors {
  embedding: Float32Array
  image: Float32Array | null
  text: Float32Array | null
}

/** Rows per run on a CPU: activations between layers then stay in the CPU cache. */
export const cpuRows = 16

/** Bytes of the cache of title vectors: 16,384 vectors of 128 numbers. */
const titleCacheBytes = 2 ** 23

/** Close it when done. */
export class ItemEncoder implements AsyncDisposable {
  /** Vectors of titles, least recently used first. */
  private readonly titleCache = new Map<string, TitleVectors>()
  private readonly text: TextEncoder

  private constructor(
    private readonly models: Record<(typeof parts)[number], Model>,
    private readonly setup: EncoderSetup,
  ) {
    const { tokenizer, shape } = setup
    this.text = textEncoder(tokenizer, shape.length, shape.config.text.padToken)
  }

  /** Opens the models; `say` reports skipped providers. */
  static async open(setup: EncoderSetup, say: (line: string) => void): Promise<ItemEncoder> {
    const { folder } = setup
    const opened: Model[] = []
    const open = async (part: (typeof parts)[number], provider: EncoderSetup['provider']) => {
      const model = await openModel(join(folder, `${part}.onnx`), { ...setup, provider }, say)
      opened.push(model)
      return model
    }
    try {
      const image = await open('image', setup.provider)
      const text = await open('text', image.provider)
      // One small matrix product: not worth a GPU.
      return new ItemEncoder({ image, text, content: await open('content', 'cpu') }, setup)
    } catch (error) {
      for (const model of opened) await model.close()
      throw error
    }
  }

  get provider(): Model['provider'] {
    return this.models.image.provider
  }

  /** Vectors of items from decoded pictures (bytes [size, size, 3]) and titles; null for a missing one. */
  async encode(pictures: readonly (Uint8Array | null)[], titles: readonly (string | null)[]): Promise<Vectors[]> {
    const { shape } = this.setup
    const { config } = shape
    const image = await this.images(pictures)
    const titleVectors = await this.texts(titles)
    const text = titleVectors.map((title) => title?.text ?? null)
    const rows = pictures.length
    if (rows === 0) return []
    const joint = (vectors: readonly (Float32Array | null | undefined)[], width = config.projection) => {
      const data = new Float32Array(rows * width)
      vectors.forEach((v, i) => {
        if (v) data.set(v, i * width)
      })
      return { data, shape: [rows, width] }
    }
    const flags = (vectors: (Float32Array | null)[]) => ({
      data: Float32Array.from(vectors, (v) => (v ? 1 : 0)),
      shape: [rows],
    })
    const words = titleVectors.map((title) => title?.words)
    const { embedding } = await this.models.content.run({
      image_embedding: joint(image),
      text_embedding: joint(text),
      has_image: flags(image),
      has_text: flags(text),
      ...(shape.words ? { word_embedding: joint(words, wordWidth(shape)) } : {}),
    })
    return image.map((picture, i) => ({
      embedding: row(embedding.data as Float32Array, i, contentWidth(shape)),
      image: picture,
      text: text[i],
    }))
  }

  private async images(pictures: readonly (Uint8Array | null)[]): Promise<(Float32Array | null)[]> {
    const { shape, preprocessing } = this.setup
    const size = shape.config.vision.imageSize
    const present = pictures.filter((picture) => picture !== null)
    if (present.length === 0) return pictures.map(() => null)
    const vectors = await this.inPieces('image', present.length, (from, to) => {
      const data = new Float32Array((to - from) * 3 * size * size)
      for (let i = from; i < to; i++) writeNormalized(present[i], preprocessing, data, (i - from) * 3 * size * size)
      return { pixel_values: { data, shape: [to - from, 3, size, size] } }
    })
    let next = 0
    return pictures.map((picture) => (picture ? vectors[next++].image_embedding : null))
  }

  /** Encodes equal titles once, also across batches while they are in the cache. */
  private async texts(titles: readonly (string | null)[]): Promise<(TitleVectors | null)[]> {
    const { shape } = this.setup
    const vectors = new Map<string, TitleVectors>()
    const missing = new Set<string>()
    for (const title of titles) {
      if (title === null) continue
      const cached = this.titleCache.get(title)
      if (cached) vectors.set(title, cached)
      else missing.add(title)
    }
    if (missing.size > 0) {
      const encoded = [...missing]
      const outputs = await this.inPieces('text', encoded.length, (from, to) => ({
        input_ids: { data: this.text.encode(encoded.slice(from, to)), shape: [to - from, shape.length] },
      }))
      for (const [i, title] of encoded.entries()) {
        const { text_embedding: text, word_embedding: words = null } = outputs[i]
        vectors.set(title, { text, words })
      }
    }
    this.cacheTitles(vectors)
    return titles.map((title) => (title === null ? null : vectors.get(title)!))
  }

  /** For each of `rows` inputs its vectors by output name; `inputs(from, to)` makes the inputs of a run. */
  private async inPieces(
    part: 'image' | 'text',
    rows: number,
    inputs: (from: number, to: number) => Named,
  ): Promise<Record<string, Float32Array>[]> {
    const model = this.models[part]
    const size = model.provider === 'cpu' ? cpuRows : rows
    const vectors: Record<string, Float32Array>[] = []
    for (let from = 0; from < rows; from += size) {
      const to = Math.min(from + size, rows)
      const outputs = Object.entries(await model.run(inputs(from, to)))
      const rowOf = (i: number) =>
        outputs.map(([name, { data, shape }]) => [name, row(data as Float32Array, i, shape[1])])
      for (let i = 0; i < to - from; i++) vectors.push(Object.fromEntries(rowOf(i)))
    }
    return vectors
  }

  /** Adds titles to the cache and evicts the least recently used. */
  private cacheTitles(vectors: ReadonlyMap<string, TitleVectors>): void {
    for (const [title, vector] of vectors) {
      this.titleCache.delete(title)
      this.titleCache.set(title, vector)
    }
    const { shape } = this.setup
    const most = Math.floor(titleCacheBytes / (4 * (shape.config.projection + wordWidth(shape))))
    for (const title of this.titleCache.keys()) {
      if (this.titleCache.size <= most) break
      this.titleCache.delete(title)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of parts) await this.models[part].close()
  }
}

function row(matrix: Float32Array, index: number, width: number): Float32Array {
  return matrix.slice(index * width, (index + 1) * width)
}
