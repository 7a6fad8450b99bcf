/** The catalogue as an encoder sees it: pixels and tokens of every item. */
import type { Items } from './items.js'
import { type PictureOptions, type Pictures, preparePictures } from './pictures.js'
import type { TextEncoder } from './tokenizer.js'

export interface Catalogue {
  items: Items
  pictures: Pictures
  /** Token ids [count, length]. */
  tokens: Int32Array
  /** 1 where the item has a readable picture, else 0; likewise a title. */
  hasImage: Uint8Array
  hasText: Uint8Array
}

export async function prepareCatalogue(
  items: Items,
  encoder: TextEncoder,
  options: PictureOptions,
  progress: (done: number) => void,
): Promise<Catalogue> {
  const pictures = await preparePictures(items.pictures, options, progress)
  return {
    items,
    pictures,
    tokens: encoder.encode(items.titles),
    hasImage: pictures.present,
    hasText: Uint8Array.from(items.titles, (title) => (title === null ? 0 : 1)),
  }
}

/** Rows `rows` of a matrix of `width` columns, one after the other. */
export function takeRows<T extends Float32Array | Int32Array>(matrix: T, width: number, rows: ArrayLike<number>): T {
  const out = new (matrix.constructor as new (length: number) => T)(rows.length * width)
  for (let k = 0; k < rows.length; k++) out.set(matrix.subarray(rows[k] * width, (rows[k] + 1) * width), k * width)
  return out
}
