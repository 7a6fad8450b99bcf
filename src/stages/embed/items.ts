/** Reads the items of a catalogue, compares them with the vectors that exist and batches those to encode. */
import { mapAhead } from '../../base/prefetch.js'
import type { ItemPiece, ItemStream } from '../../data/items/stream.js'
import { type DecodeOptions, decodeAll } from '../../data/pictures/decode.js'
import { pictureName } from '../../data/pictures/files.js'
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
  /** Whether the older table has the vectors of the same title with the same broken picture. */
  wereBroken: boolean[]
  /** Row of each item in the work files. */
  rows: ArrayLike<number>
}

/** Items as they were read, and how they compare with the vectors that exist. */
export interface ComparedItems extends Comparison, ReadItems {
  ids: Id[]
  titles: (string | null)[]
  /** Paths of pictures, shortened; null for pictures within the table. */
  paths: (string | null)[]
  /** Why the picture of an item that is not encoded is broken. */
  reasons: (string | undefined)[]
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
    const compared = { ...read, ...compare(items.ids, read.hashes) }
    const isKept = (i: number) => compared.statuses[i] === 'unchanged' || compared.statuses[i] === 'resumed'
    const reasons = read.pictures.map((p, i) => (p instanceof Error && isKept(i) ? p.message : undefined))
    yield { ids: items.ids, titles: items.titles, paths: items.pictures.map(pictureName), reasons, ...compared }
  }
}

/**
 * Decodes pictures again that were broken before, because limits or decoders may have changed. If the picture of an
 * item is still broken, the item keeps its vectors and gets the reason.
 */
export async function* retried(
  compared: AsyncIterable<ComparedItems>,
  options: DecodeOptions,
): AsyncGenerator<ComparedItems> {
  for await (const items of compared) {
    const { statuses, reasons, wereBroken } = items
    const again = items.pictures.map((picture, i) => (wereBroken[i] && picture instanceof Uint8Array ? picture : null))
    if (again.some((picture) => picture !== null)) {
      for (const [i, decoded] of (await decodeAll(again, { folder: '' }, options)).entries()) {
        if (decoded instanceof Error) reasons[i] = decoded.message
        else if (decoded) statuses[i] = 'changed'
      }
    }
    yield items
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

/** The broken picture of an item. */
export interface BrokenPicture extends Pick<Item, 'id' | 'path'> {
  reason: string
}

/** Items to encode, and the items skipped since the batch before. */
export interface Batch {
  items: Item[]
  /** Number of items with a picture, skipped ones included. */
  pictures: number
  /** Broken pictures of skipped items. */
  broken: BrokenPicture[]
  /** Rows of unchanged items. */
  unchanged: number[]
  /** Number of items that an interrupted run has computed. */
  resumed: number
}

const emptyBatch = (): Batch => ({ items: [], pictures: 0, broken: [], unchanged: [], resumed: 0 })

/** Batches of `size` new or changed items; the last may be smaller. */
export async function* batches(compared: AsyncIterable<ComparedItems>, size: number): AsyncGenerator<Batch> {
  let batch = emptyBatch()
  for await (const { ids, rows, titles, pictures, paths, hashes, statuses, reasons } of compared) {
    for (const [i, status] of statuses.entries()) {
      if (pictures[i] !== null) batch.pictures++
      if (reasons[i] !== undefined) batch.broken.push({ id: ids[i], path: paths[i], reason: reasons[i] })
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
