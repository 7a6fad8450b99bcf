/** Encodes items with the training engine. */
import type { Preprocessing } from '../../checkpoint/preprocessing.js'
import type { Catalogue } from '../../data/items/catalogue.js'
import type { Pictures } from '../../data/pictures/pictures.js'
import { takeRows } from '../../data/tables/matrix.js'
import type { Session, Value } from '../../engine/index.js'
import { contentWidth, type EncoderShape } from '../../models/encoder.js'

/** Unit vectors of items: image and text [rows, projection], content [rows, content width]. */
export interface ItemVectors {
  image: Float32Array
  text: Float32Array
  content: Float32Array
}

/** Rows encoded at once. */
const piece = 256

/** Normalized pixels of items [rows, 3, size, size]. */
export async function pixels(
  pictures: Pictures,
  rows: ArrayLike<number>,
  preprocessing: Preprocessing,
): Promise<Value> {
  const { size } = pictures
  return { data: await pictures.normalized(rows, preprocessing), shape: [rows.length, 3, size, size] }
}

/** Token ids of titles [rows, length]. */
export function tokens({ tokens }: Pick<Catalogue, 'tokens'>, rows: ArrayLike<number>, length: number): Value {
  return { data: takeRows(tokens, length, rows), shape: [rows.length, length] }
}

/** Reads the input of a tower for some rows. */
type TowerInput = (rows: Int32Array) => Value | Promise<Value>

/** Encodes `rows` of the catalogue with a session that has the programs of `encoderPrograms`. */
export async function encodeItems(
  session: Session,
  catalogue: Catalogue,
  rows: Int32Array,
  shape: EncoderShape,
  preprocessing: Preprocessing,
): Promise<ItemVectors> {
  const { pictures, hasImage, hasText } = catalogue
  const image = await encodeImages(session, rows, shape, hasImage, (part) => pixels(pictures, part, preprocessing))
  const text = await encodeTexts(session, rows, shape, hasText, (part) => tokens(catalogue, part, shape.length))
  const has = (flags: Uint8Array) => Float32Array.from(rows, (row) => flags[row])
  return {
    image,
    text,
    content: encodeContent(session, { image, text }, has(hasImage), has(hasText), shape),
  }
}

/** Unit vectors [rows, projection] of the pictures that `read` returns. Pieces without any picture (`has`) stay zero. */
export function encodeImages(
  session: Session,
  rows: Int32Array,
  shape: EncoderShape,
  has: Uint8Array,
  read: TowerInput,
) {
  return encodeTower(rows, shape, has, read, (pixels) => session.run('image', { pixel_values: pixels }).image_embedding)
}

/** Like `encodeImages`, for titles. */
export function encodeTexts(
  session: Session,
  rows: Int32Array,
  shape: EncoderShape,
  has: Uint8Array,
  read: TowerInput,
) {
  return encodeTower(rows, shape, has, read, (ids) => session.run('text', { input_ids: ids }).text_embedding)
}

async function encodeTower(
  rows: Int32Array,
  { config }: EncoderShape,
  has: Uint8Array,
  read: TowerInput,
  encode: (input: Value) => Value,
) {
  const d = config.projection
  const out = new Float32Array(rows.length * d)
  for (let from = 0; from < rows.length; from += piece) {
    const part = rows.subarray(from, from + piece)
    if (part.some((row) => has[row])) out.set(encode(await read(part)).data, from * d)
  }
  return out
}

/** Content vectors [n, content width] of unit vectors [n, projection]; `hasImage` and `hasText` [n] are 1 or 0. */
export function encodeContent(
  session: Session,
  { image, text }: Pick<ItemVectors, 'image' | 'text'>,
  hasImage: Float32Array,
  hasText: Float32Array,
  shape: EncoderShape,
): Float32Array {
  const d = shape.config.projection
  const width = contentWidth(shape)
  const count = hasImage.length
  const out = new Float32Array(count * width)
  for (let from = 0; from < count; from += piece) {
    const to = Math.min(from + piece, count)
    const vectors = (x: Float32Array): Value => ({ data: x.slice(from * d, to * d), shape: [to - from, d] })
    const flags = (x: Float32Array): Value => ({ data: x.slice(from, to), shape: [to - from] })
    const { embedding } = session.run('content', {
      image_embedding: vectors(image),
      text_embedding: vectors(text),
      has_image: flags(hasImage),
      has_text: flags(hasText),
    })
    out.set(embedding.data, from * width)
  }
  return out
}
