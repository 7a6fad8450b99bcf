/** The encoder of a catalogue on ONNX Runtime: three models exported from the one definition. */
import { join } from 'node:path'
import { openWeights, type Preprocessing } from '../checkpoint/model.js'
import { writeNormalised } from '../data/decode.js'
import type { TextEncoder } from '../data/tokenizer.js'
import { UserError } from '../errors.js'
import { replaceFolder } from '../files.js'
import { contentWidth, type EncoderShape, encoderPrograms } from '../models/encoder.js'
import { Parameters } from '../nn/parameters.js'
import { exportOnnx } from '../ops/onnx/index.js'
import { type Model, type ModelOptions, openModel } from './model.js'

const parts = ['image', 'text', 'content'] as const

/** Writes image.onnx, text.onnx and content.onnx of a checkpoint into `folder`; see `encoderPrograms` for their inputs. */
export async function exportEncoder(checkpoint: string, shape: EncoderShape, folder: string): Promise<void> {
  const p = new Parameters()
  const programs = encoderPrograms(p, shape)
  const specs = new Map(p.list().map((parameter) => [parameter.name, parameter]))
  const weights = openWeights(checkpoint)
  const weight = (name: string) => {
    const values = weights.read(specs.get(name)!)
    if (values) return values
    throw new UserError({ id: 'tensor-missing', where: checkpoint, what: `tensor '${name}' is missing` })
  }
  try {
    await replaceFolder(folder, (temporary) => {
      for (const part of parts) exportOnnx(join(temporary, `${part}.onnx`), programs[part], weight)
    })
  } finally {
    weights.close()
  }
}

export interface EncoderOptions extends ModelOptions {
  shape: EncoderShape
  text: TextEncoder
  preprocessing: Preprocessing
}

/** Unit vectors of an item; null for a modality that it lacks. */
export interface Vectors {
  embedding: Float32Array
  image: Float32Array | null
  text: Float32Array | null
}

export class ItemEncoder {
  private constructor(
    private readonly models: Record<(typeof parts)[number], Model>,
    private readonly options: EncoderOptions,
  ) {}

  /** Opens the models that `exportEncoder` wrote; `say` hears which provider was passed over. */
  static async open(folder: string, options: EncoderOptions, say: (line: string) => void): Promise<ItemEncoder> {
    const image = await openModel(join(folder, 'image.onnx'), options, say)
    const same = { ...options, provider: image.provider }
    const text = await openModel(join(folder, 'text.onnx'), same, say)
    // One small product: not worth a device.
    const content = await openModel(join(folder, 'content.onnx'), { ...options, provider: 'cpu' }, say)
    return new ItemEncoder({ image, text, content }, options)
  }

  get provider(): string {
    return this.models.image.provider
  }

  /** Vectors of items given by decoded pictures (bytes [size, size, 3]) and titles, null where there is none. */
  async encode(pictures: readonly (Uint8Array | null)[], titles: readonly (string | null)[]): Promise<Vectors[]> {
    const { shape } = this.options
    const [d, width] = [shape.config.projection, contentWidth(shape)]
    const image = await this.images(pictures)
    const text = await this.texts(titles)
    const rows = pictures.length
    const joint = (vectors: (Float32Array | null)[]) => {
      const data = new Float32Array(rows * d)
      vectors.forEach((v, i) => {
        if (v) data.set(v, i * d)
      })
      return { data, shape: [rows, d] }
    }
    const flags = (vectors: (Float32Array | null)[]) => ({
      data: Float32Array.from(vectors, (v) => (v ? 1 : 0)),
      shape: [rows],
    })
    const { embedding } = await this.models.content.run({
      image_embedding: joint(image),
      text_embedding: joint(text),
      has_image: flags(image),
      has_text: flags(text),
    })
    return image.map((picture, i) => ({
      embedding: row(embedding.data as Float32Array, i, width),
      image: picture,
      text: text[i],
    }))
  }

  private async images(pictures: readonly (Uint8Array | null)[]): Promise<(Float32Array | null)[]> {
    const { shape, preprocessing } = this.options
    const size = shape.config.vision.imageSize
    const present = pictures.filter((picture) => picture !== null)
    if (present.length === 0) return pictures.map(() => null)
    const data = new Float32Array(present.length * 3 * size * size)
    present.forEach((picture, i) => {
      writeNormalised(picture, preprocessing, data, i * 3 * size * size)
    })
    const { image_embedding } = await this.models.image.run({
      pixel_values: { data, shape: [present.length, 3, size, size] },
    })
    let next = 0
    return pictures.map((picture) =>
      picture ? row(image_embedding.data as Float32Array, next++, shape.config.projection) : null,
    )
  }

  /** Equal titles are encoded once. */
  private async texts(titles: readonly (string | null)[]): Promise<(Float32Array | null)[]> {
    const { shape, text } = this.options
    const distinct = [...new Set(titles.filter((title) => title !== null))]
    if (distinct.length === 0) return titles.map(() => null)
    const { text_embedding } = await this.models.text.run({
      input_ids: { data: text.encode(distinct), shape: [distinct.length, shape.length] },
    })
    const place = new Map(distinct.map((title, i) => [title, i]))
    return titles.map((title) =>
      title === null ? null : row(text_embedding.data as Float32Array, place.get(title)!, shape.config.projection),
    )
  }

  async close(): Promise<void> {
    for (const part of parts) await this.models[part].close()
  }
}

function row(matrix: Float32Array, index: number, width: number): Float32Array {
  return matrix.slice(index * width, (index + 1) * width)
}
