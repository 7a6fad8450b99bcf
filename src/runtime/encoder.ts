/** The encoder of a catalogue on ONNX Runtime: three models exported from the one definition. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
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
  const specs = new Map(p.list().map((parameter) => [parameter.name, parameter]))
  await replaceFolder(folder, (temporary) => {
    for (const part of parts)
      exportOnnx(join(temporary, `${part}.onnx`), programs[part], (name) => weight(specs.get(name)!), { precision })
  })
}

/** Writes the models of a checkpoint. */
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

/** All that an encoder is opened with, as plain values that may go to another thread. */
export interface EncoderSetup extends ModelOptions {
  /** Where `exportEncoder` wrote the models. */
  folder: string
  shape: EncoderShape
  tokenizer: TokenizerFiles
  preprocessing: Preprocessing
  /** Pixels of a source picture beyond which it counts as broken. */
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

/** Unit vectors of a title; of its words only where they count. */
interface TitleVectors {
  text: Float32Array
  words: Float32Array | null
}

/** Unit vectors of an item; null for a modality that it lacks. */
export interface Vectors {
  embedding: Float32Array
  image: Float32Array | null
  text: Float32Array | null
}

/** Rows of one run on a CPU: what lies between its layers then stays in the cache. */
export const cpuRows = 16

/** Room for the vectors of titles that may come again: 16,384 of 128 numbers. */
const knownBytes = 2 ** 23

export class ItemEncoder {
  private readonly known = new Map<string, TitleVectors>()

  private readonly text: TextEncoder

  private constructor(
    private readonly models: Record<(typeof parts)[number], Model>,
    private readonly setup: EncoderSetup,
  ) {
    const { tokenizer, shape } = setup
    this.text = textEncoder(tokenizer, shape.length, shape.config.text.padToken)
  }

  /** Opens the models; `say` hears which provider was passed over. */
  static async open(setup: EncoderSetup, say: (line: string) => void): Promise<ItemEncoder> {
    const { folder } = setup
    const image = await openModel(join(folder, 'image.onnx'), setup, say)
    const same = { ...setup, provider: image.provider }
    const text = await openModel(join(folder, 'text.onnx'), same, say)
    // One small product: not worth a device.
    const content = await openModel(join(folder, 'content.onnx'), { ...setup, provider: 'cpu' }, say)
    return new ItemEncoder({ image, text, content }, setup)
  }

  get provider(): Model['provider'] {
    return this.models.image.provider
  }

  /** Vectors of items given by decoded pictures (bytes [size, size, 3]) and titles, null where there is none. */
  async encode(pictures: readonly (Uint8Array | null)[], titles: readonly (string | null)[]): Promise<Vectors[]> {
    const { shape } = this.setup
    const { config } = shape
    const image = await this.images(pictures)
    const ofTitles = await this.texts(titles)
    const text = ofTitles.map((title) => title?.text ?? null)
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
    const words = ofTitles.map((title) => title?.words)
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

  /** Equal titles are encoded once, also where they come in different batches, as far as the memory goes. */
  private async texts(titles: readonly (string | null)[]): Promise<(TitleVectors | null)[]> {
    const { shape } = this.setup
    const vectors = new Map<string, TitleVectors>()
    const fresh = new Set<string>()
    for (const title of titles) {
      if (title === null) continue
      const known = this.known.get(title)
      if (known) vectors.set(title, known)
      else fresh.add(title)
    }
    if (fresh.size > 0) {
      const encoded = [...fresh]
      const made = await this.inPieces('text', encoded.length, (from, to) => ({
        input_ids: { data: this.text.encode(encoded.slice(from, to)), shape: [to - from, shape.length] },
      }))
      for (const [i, title] of encoded.entries()) {
        const { text_embedding: text, word_embedding: words = null } = made[i]
        vectors.set(title, { text, words })
      }
    }
    this.remember(vectors)
    return titles.map((title) => (title === null ? null : vectors.get(title)!))
  }

  /** Vectors of `rows` inputs, which `inputs` gives from row to row, by the names of the model's outputs. */
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
      const at = (i: number) => outputs.map(([name, { data, shape }]) => [name, row(data as Float32Array, i, shape[1])])
      for (let i = 0; i < to - from; i++) vectors.push(Object.fromEntries(at(i)))
    }
    return vectors
  }

  /** Keeps the titles met last. */
  private remember(vectors: ReadonlyMap<string, TitleVectors>): void {
    for (const [title, vector] of vectors) {
      this.known.delete(title)
      this.known.set(title, vector)
    }
    const { shape } = this.setup
    const most = Math.floor(knownBytes / (4 * (shape.config.projection + wordWidth(shape))))
    for (const title of this.known.keys()) {
      if (this.known.size <= most) break
      this.known.delete(title)
    }
  }

  async close(): Promise<void> {
    for (const part of parts) await this.models[part].close()
  }
}

function row(matrix: Float32Array, index: number, width: number): Float32Array {
  return matrix.slice(index * width, (index + 1) * width)
}
