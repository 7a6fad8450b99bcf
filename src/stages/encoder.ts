/** Whole catalogues through the encoder on the training engine. */
import type { Preprocessing } from '../checkpoint/model.js'
import { type Augmentation, augmentPicture, augmentTitle, changesPictures } from '../data/augment.js'
import { type Catalogue, takeRows } from '../data/catalogue.js'
import type { Pictures } from '../data/pictures.js'
import type { TextEncoder } from '../data/tokenizer.js'
import type { Session, Value } from '../engine/index.js'
import { contentWidth, type EncoderShape } from '../models/encoder.js'
import type { Random } from '../random.js'

/** Unit vectors of items, row by row: [rows, projection] and [rows, content width]. */
export interface ItemVectors {
  image: Float32Array
  text: Float32Array
  content: Float32Array
}

const piece = 256

/** Pixels of items as a program's input. */
export function pixels(
  { pictures }: Pick<Catalogue, 'pictures'>,
  rows: ArrayLike<number>,
  preprocessing: Preprocessing,
): Value {
  const { size } = pictures
  return { data: pictures.normalised(rows, preprocessing), shape: [rows.length, 3, size, size] }
}

export function tokens({ tokens }: Pick<Catalogue, 'tokens'>, rows: ArrayLike<number>, length: number): Value {
  return { data: takeRows(tokens, length, rows), shape: [rows.length, length] }
}

/** What training sees of pictures and titles: each time a little different. */
export class Views {
  constructor(
    private readonly preprocessing: Preprocessing,
    private readonly text: TextEncoder,
    private readonly length: number,
    private readonly augmentation: Augmentation,
  ) {}

  /** [rows, 3, size, size]. */
  pixels(pictures: Pictures, rows: ArrayLike<number>, random: Random): Float32Array {
    const { preprocessing, augmentation } = this
    const change = (picture: Uint8Array) => augmentPicture(picture, pictures.size, augmentation, random)
    return pictures.normalised(rows, preprocessing, changesPictures(augmentation) ? change : undefined)
  }

  /** Token ids [rows, length] of the catalogue's titles. */
  titles({ items, tokens }: Catalogue, rows: Int32Array, random: Random): Int32Array {
    const { augmentation, length } = this
    if (augmentation.dropWords === 0) return takeRows(tokens, length, rows)
    const shortened = (title: string | null) => (title === null ? null : augmentTitle(title, augmentation, random))
    return this.text.encode(Array.from(rows, (row) => shortened(items.titles[row])))
  }
}

/** Encodes `rows` of the catalogue with a session that has the programs of `encoderPrograms`. */
export function encodeItems(
  session: Session,
  catalogue: Catalogue,
  rows: Int32Array,
  shape: EncoderShape,
  preprocessing: Preprocessing,
): ItemVectors {
  const d = shape.config.projection
  const width = contentWidth(shape)
  const vectors = {
    image: new Float32Array(rows.length * d),
    text: new Float32Array(rows.length * d),
    content: new Float32Array(rows.length * width),
  }
  for (let from = 0; from < rows.length; from += piece) {
    const part = rows.subarray(from, from + piece)
    const flag = (has: Uint8Array): Value => ({
      data: Float32Array.from(part, (row) => has[row]),
      shape: [part.length],
    })
    const { image_embedding } = session.run('image', { pixel_values: pixels(catalogue, part, preprocessing) })
    const { text_embedding } = session.run('text', { input_ids: tokens(catalogue, part, shape.length) })
    const has = { has_image: flag(catalogue.hasImage), has_text: flag(catalogue.hasText) }
    const { embedding } = session.run('content', { image_embedding, text_embedding, ...has })
    vectors.image.set(image_embedding.data, from * d)
    vectors.text.set(text_embedding.data, from * d)
    vectors.content.set(embedding.data, from * width)
  }
  return vectors
}
