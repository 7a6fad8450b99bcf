/** The items of a catalogue on their way to the encoder: read, compared with what is known, decoded. */

import { mapAhead } from '../../base/prefetch.js'
import type { ItemPiece, ItemStream } from '../../data/items/stream.js'
import type { Id } from '../../store/index.js'
import { ItemReaders, type ReadItems, readerCount } from './readers.js'

/** Items that a thread reads and hashes at a time; pictures may be large. */
const piece = 64

/** What is to be done about an item. */
export type Fate = 'known' | 'unchanged' | 'changed' | 'new'

export interface Judgment {
  fates: Fate[]
  /** Where the vectors of each item go. */
  rows: ArrayLike<number>
}

/** Items with what is to be done about each. */
export interface Surveyed extends Judgment, ReadItems {
  ids: Id[]
  titles: (string | null)[]
  /** Of pictures; null for those that the table itself holds. */
  paths: (string | null)[]
}

/** Reads the catalogue, with the bytes of its pictures, and asks `judge` for the fate of each item. */
export async function* survey(
  stream: ItemStream,
  allowOutside: boolean,
  judge: (ids: readonly Id[], hashes: readonly string[]) => Judgment,
): AsyncGenerator<Surveyed> {
  const readers = new ItemReaders({ folder: stream.folder, allowOutside })
  try {
    const pieces = mapAhead(smaller(stream.read()), readerCount, async (items) => ({
      items,
      read: await readers.read(items),
    }))
    for await (const { items, read } of pieces) {
      const paths = items.pictures.map((picture) => (typeof picture === 'string' ? picture : null))
      yield { ids: items.ids, titles: items.titles, paths, ...read, ...judge(items.ids, read.hashes) }
    }
  } finally {
    await readers.close()
  }
}

async function* smaller(pieces: AsyncIterable<ItemPiece>): AsyncGenerator<ItemPiece> {
  for await (const { ids, titles, pictures } of pieces) {
    for (let from = 0; from < ids.length; from += piece) {
      const to = from + piece
      yield { ids: ids.slice(from, to), titles: titles.slice(from, to), pictures: pictures.slice(from, to) }
    }
  }
}

/** An item to encode, and where its vectors go. */
export interface Item {
  id: Id
  row: number
  title: string | null
  picture: Surveyed['pictures'][number]
  path: Surveyed['paths'][number]
  hash: string
}

/** Items for the encoder, and what was passed on the way to them. */
export interface Batch {
  items: Item[]
  /** Rows of items that the published table has. */
  unchanged: number[]
  /** Items that an interrupted run had done. */
  known: number
}

const nothing = (): Batch => ({ items: [], unchanged: [], known: 0 })

/** Makes batches of what is new or changed; the last may be smaller. */
export async function* batches(surveyed: AsyncIterable<Surveyed>, size: number): AsyncGenerator<Batch> {
  let batch = nothing()
  for await (const { ids, rows, titles, pictures, paths, hashes, fates } of surveyed) {
    for (const [i, fate] of fates.entries()) {
      if (fate === 'unchanged') batch.unchanged.push(rows[i])
      if (fate === 'known') batch.known++
      if (fate === 'unchanged' || fate === 'known') continue
      const [id, row, title, picture, path, hash] = [ids[i], rows[i], titles[i], pictures[i], paths[i], hashes[i]]
      batch.items.push({ id, row, title, picture, path, hash })
      if (batch.items.length < size) continue
      yield batch
      batch = nothing()
    }
    // What was passed is told at once; items wait until there are enough.
    if (batch.items.length > 0) continue
    yield batch
    batch = nothing()
  }
  yield batch
}
