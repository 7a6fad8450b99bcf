/** The catalogue as input of an encoder: pixels and tokens of every item. */
import type { DataFacts } from '../facts.js'
import { Pictures, type PreparedPictures } from '../pictures/pictures.js'
import { type PictureOptions, preparePictures } from '../pictures/prepare.js'
import { SharedTexts, shareArray, type Texts } from '../tables/sharedMemory.js'
import type { TextEncoder } from '../text/tokenizer.js'
import type { Items } from './items.js'

export interface Catalogue {
  items: Items
  pictures: Pictures
  /** Token ids [count, length]. */
  tokens: Int32Array
  /** [count]; 1 for items with a readable picture, or with a title, else 0. */
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
    tokens: shareArray(encoder.encode(items.titles)),
    hasImage: pictures.present,
    hasText: shareArray(Uint8Array.from(items.titles, (title) => (title === null ? 0 : 1))),
  }
}

/** Notes how many items have a title, and a picture that can be read. */
export function noteModalities({ items, hasImage, hasText }: Catalogue, { notes }: DataFacts): void {
  const count = (flags: Uint8Array) => flags.reduce((sum, flag) => sum + flag, 0).toLocaleString('en-US')
  const all = items.count.toLocaleString('en-US')
  notes.push(`of ${all} items ${count(hasText)} have a title and ${count(hasImage)} a picture that can be read`)
}

/** The parts of a catalogue that batches need. */
export type BatchCatalogue = Omit<Catalogue, 'items'> & { items: { titles: Texts } }

/** The same as plain data in shared memory, for other threads. */
export type SharedCatalogue = Pick<Catalogue, 'tokens' | 'hasImage' | 'hasText'> & {
  titles: SharedTexts['packed']
  pictures: PreparedPictures
}

export function shareCatalogue({ items, pictures, tokens, hasImage, hasText }: Catalogue): SharedCatalogue {
  return { titles: SharedTexts.of(items.titles).packed, pictures: pictures.prepared, tokens, hasImage, hasText }
}

export function openCatalogue({ titles, pictures, ...rest }: SharedCatalogue): BatchCatalogue {
  return { items: { titles: new SharedTexts(titles) }, pictures: new Pictures(pictures), ...rest }
}

/** Group number per item: items with equal titles share one, an item without a title is alone in its group. */
export function equalTitles(titles: readonly (string | null)[]): Int32Array {
  const first = new Map<string, number>()
  return Int32Array.from(titles, (title, item) => {
    if (title === null) return item
    if (!first.has(title)) first.set(title, item)
    return first.get(title)!
  })
}
