/** Reads the items of a catalogue, compares them with the vectors that exist and batches those to encode. */
import { mapAhead } from '../../base/prefetch.js'
import type { ItemPiece, ItemStream } from '../../data/items/stream.js'
import type { Id } from '../../store/index.js'
import { ItemReaders, type ReadItems, readerCount } from './readers.js'

/** Items that a thread reads and hashes at a time; pictures may be large. */
const pieceItems = 64

/**
 * `resumed`: an interrupted run has computed the vectors; `unchanged`: the older table has them; `changed` and `new`:
 * they are to be computed, with or without older ones in that table.
 */
export type ItemStatus = 'resumed' | 'unchanged' | 'changed' | 'new'

export interface Comparison {
  statuses: ItemStatus[]
  /** Row of each item in the work files. */
  rows: ArrayLike<number>
}

/** Items as they were read, and how they compare with the vectors that exist. */
export interface ComparedItems extends Comparison, ReadItems {
  ids: Id[]
  titles: (string | null)[]
  /** Paths of pictures; null for pictures within the table. */
  paths: (string | null)[]
}

/** Reads all items with the bytes of their pictures and compares each with the vectors that exist. */
export async function* compareItems(
  stream: ItemStream,
  allowOutside: boolean,
  compare: (ids: readonly Id[], hashes: readonly string[]) => Comparison,
): AsyncGenerator<ComparedItems> {
  await using readers = new ItemReaders({ folder: stream.folder, allowOutside })
  const pieces = mapAhead(smallPieces(stream.read()), readerCount, async (items) => ({
    items,
    read: await readers.read(items),
  }))
  for await (const { items, read } of pieces) {
    const paths = items.pictures.map((picture) => (typeof picture === 'string' ? picture : null))
    yield { ids: items.ids, titles: items.titles, paths, ...read, ...compare(items.ids, read.hashes) }
  }
}

async function* smallPieces(pieces: AsyncIterable<ItemPiece>): AsyncGenerator<ItemPiece> {
  for await (const { ids, titles, pictures } of pieces) {
    for (let from = 0; from < ids.length; from += pieceItems) {
      const to = from + pieceItems
      yield { ids: ids.slice(from, to), titles: titles.slice(from, to), pictures: pictures.slice(from, to) }
    }
  }
}

/** An item to encode. */
export interface Item {
  id: Id
  /** Row of its vectors in the work files. */
  row: number
  title: string | null
  picture: ComparedItems['pictures'][number]
  path: ComparedItems['paths'][number]
  hash: string
}

/** Items to encode, and the items skipped since the batch before. */
export interface Batch {
  items: Item[]
  /** Rows of unchanged items. */
  unchanged: number[]
  /** Number of items that an interrupted run has computed. */
  resumed: number
}

const emptyBatch = (): Batch => ({ items: [], unchanged: [], resumed: 0 })

/** Batches of `size` new or changed items; the last may be smaller. */
export async function* batches(compared: AsyncIterable<ComparedItems>, size: number): AsyncGenerator<Batch> {
  let batch = emptyBatch()
  for await (const { ids, rows, titles, pictures, paths, hashes, statuses } of compared) {
    for (const [i, status] of statuses.entries()) {
      if (status === 'unchanged') batch.unchanged.push(rows[i])
      if (status === 'resumed') batch.resumed++
      if (status === 'unchanged' || status === 'resumed') continue
      const [id, row, title, picture, path, hash] = [ids[i], rows[i], titles[i], pictures[i], paths[i], hashes[i]]
      batch.items.push({ id, row, title, picture, path, hash })
      if (batch.items.length < size) continue
      yield batch
      batch = emptyBatch()
    }
    // Skipped items are reported at once; items to encode wait until there are enough.
    if (batch.items.length > 0) continue
    yield batch
    batch = emptyBatch()
  }
  yield batch
}
