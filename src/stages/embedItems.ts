/** The items of a catalogue on their way to the encoder: read, compared with what is known, decoded. */
import { createHash } from 'node:crypto'
import type { ItemPiece, ItemStream } from '../data/itemStream.js'
import { type PictureInput, type PicturePlace, pictureBytes } from '../data/pictureFiles.js'
import type { Id } from '../store/index.js'

/** Items read and hashed at a time. */
const piece = 256

/** What is to be done about an item. */
export type Fate = 'known' | 'unchanged' | 'changed' | 'new'

export interface Judgement {
  fates: Fate[]
  /** Where the vectors of each item go. */
  rows: ArrayLike<number>
}

/** Items with what is to be done about each. */
export interface Surveyed extends Judgement {
  ids: Id[]
  titles: (string | null)[]
  /** Encoded pictures; null where the item has none, an Error where its file cannot be read. */
  pictures: (Uint8Array | Error | null)[]
  /** Their paths; null for pictures that the table itself holds. */
  paths: (string | null)[]
  hashes: string[]
}

/** Reads the catalogue, with the bytes of its pictures, and asks `judge` for the fate of each item. */
export async function* survey(
  stream: ItemStream,
  allowOutside: boolean,
  judge: (ids: readonly Id[], hashes: readonly string[]) => Judgement,
): AsyncGenerator<Surveyed> {
  for await (const { ids, titles, pictures } of smaller(stream.read())) {
    const bytes = await Promise.all(
      pictures.map((picture) => readPicture(picture, { folder: stream.folder, allowOutside })),
    )
    const hashes = bytes.map((b, i) => contentHash(titles[i], b))
    const paths = pictures.map((picture) => (typeof picture === 'string' ? picture : null))
    yield { ids, titles, pictures: bytes, paths, hashes, ...judge(ids, hashes) }
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

async function readPicture(picture: PictureInput | null, place: PicturePlace): Promise<Surveyed['pictures'][number]> {
  if (picture === null) return null
  return pictureBytes(picture, place).catch((error: Error) => error)
}

/** A picture that cannot be read counts as one of no bytes. */
function contentHash(title: string | null, picture: Surveyed['pictures'][number]): string {
  const hash = createHash('sha256')
    .update(title ?? '')
    .update('\0')
  return (picture instanceof Uint8Array ? hash.update(picture) : hash).digest('hex').slice(0, 32)
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
