/** Items with their nearest neighbors, for reports and `mim neighbors`. */
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { temporaryFolder } from '../../base/processes/temporary.js'
import { Random } from '../../base/random.js'
import type { EmbedConfig } from '../../config/embed.js'
import type { ItemColumns } from '../../data/items/items.js'
import { lookUpItems } from '../../data/items/lookup.js'
import { decodeAll } from '../../data/pictures/decode.js'
import { thumbnail } from '../../data/pictures/thumbnail.js'
import type { Database } from '../../data/tables/duckdb.js'
import { type Card, type Child, gallery } from '../../report/index.js'
import { exportEncoder, ItemEncoder, pictureOptions } from '../../runtime/encoder.js'
import {
  type EmbeddingTable,
  type HnswIndex,
  type Id,
  type Neighbor,
  nearestRows,
  storedVector,
} from '../../store/index.js'
import { encoderSetup, modelOf, openCheckpoint, versionOf } from './describe.js'

/** The path of a catalogue and the names of its columns. */
export interface CatalogueSource {
  path: string
  columns: ItemColumns
  maxImagePixels: number
  allowOutside: boolean
}

/** Loads the titles and thumbnails of items; returns a function that makes the card of one. */
export async function itemCards(
  db: Database,
  { path, columns, maxImagePixels: maxPixels, allowOutside }: CatalogueSource,
  ids: readonly Id[],
) {
  const { folder, items } = await lookUpItems(db, path, columns, ids)
  const cards = new Map<Id, Card>()
  for (const [id, { title, picture }] of items) {
    cards.set(id, { text: title, picture: await thumbnail(picture, { folder, maxPixels, allowOutside }) })
  }
  return (id: Id, more: Partial<Card> = {}): Card => ({ ...(cards.get(id) ?? { text: `item ${id}` }), ...more })
}

/** Random items in a report, and neighbors of each. */
const queryCount = 6
const neighborCount = 7

/** A gallery of random items of a table with their nearest neighbors. */
export async function showNeighbors(db: Database, source: CatalogueSource, table: EmbeddingTable): Promise<Child> {
  const { rows } = table.manifest
  const random = Random.of('neighbours')
  const queries = [...new Set(Array.from({ length: Math.min(queryCount, rows) }, () => random.int(rows)))].sort(
    (a, b) => a - b,
  )
  const vectors = table.vectorsAt(Int32Array.from(queries))
  const found = nearestRows(table, vectors, neighborCount, queries)
  const id = (row: number) => table.ids.read(row, 1)[0]
  const card = await itemCards(db, source, [...queries, ...found.flat().map(({ row }) => row)].map(id))
  return gallery(
    'Nearest neighbors',
    `Random items, and the ${neighborCount} items with the nearest vectors.`,
    queries.map((row, q) => ({ query: card(id(row)), found: found[q].map((near) => card(id(near.row))) })),
  )
}

/** Neighbors are searched for an item, or for a text, a picture or both. */
export interface Query {
  item?: string
  text?: string
  image?: string
}

export interface Listed {
  item: Id
  title: string | null
  category: string | null
  score: number
}

/** The items of found rows with title and category from the catalogue. */
export async function listed(
  db: Database,
  { path, columns }: CatalogueSource,
  table: EmbeddingTable,
  found: readonly Neighbor[],
): Promise<Listed[]> {
  const ids = found.map(({ row }) => table.ids.read(row, 1)[0])
  const { items } = await lookUpItems(db, path, columns, ids)
  return found.map(({ score }, i) => {
    const { title = null, category = null } = items.get(ids[i]) ?? {}
    return { item: ids[i], title, category, score }
  })
}

/**
 * Row of the item with an id as the user wrote it.
 * @throws UserError `item-unknown` where the table does not have it.
 */
export function rowOf(table: EmbeddingTable, item: string): number {
  const isInteger = /^-?\d+$/.test(item)
  const id: Id | undefined = table.ids.kind === 'string' ? item : isInteger ? BigInt(item) : undefined
  const row = id === undefined ? -1 : table.ids.find([id])[0]
  if (row >= 0) return row
  throw new UserError({ id: 'item-unknown', where: table.folder, what: `the table has no vector of item ${item}` })
}

/**
 * The content vector of a text, a picture file or both by the model of `config`.
 * @throws UserError `model-differs` where the table was made by another model; `image-unreadable`.
 */
export async function queryVector(
  config: EmbedConfig,
  table: EmbeddingTable,
  { text, image }: Query,
  say: (line: string) => void,
): Promise<Float32Array> {
  const model = await openCheckpoint(config.checkpoint)
  const version = await versionOf(model.path)
  // Only the model must be the same: float32 vectors of queries also suit tables made with fp16.
  if (version !== modelOf(table.manifest.model_version)) {
    const what = `the table was made by model ${table.manifest.model_version}, ${config.checkpoint} is ${version}`
    throw new UserError({ id: 'model-differs', what, remedy: 'run mim embed again, or give the right --checkpoint' })
  }
  using folder = temporaryFolder('query')
  const { words = 0 } = table.manifest
  const setup = encoderSetup({ ...config, words }, model, join(folder.path, 'onnx'))
  const [decoded] = await decodeAll([image ?? null], { folder: '.', allowOutside: true }, pictureOptions(setup))
  if (decoded instanceof Error) {
    throw new UserError({ id: 'image-unreadable', where: image, what: decoded.message, expected: 'a picture' })
  }
  await exportEncoder(model.path, setup.shape, setup.folder)
  await using encoder = await ItemEncoder.open(setup, say)
  const [{ embedding }] = await encoder.encode([decoded], [text ?? null])
  return storedVector(embedding, table.width, 'float32') as Float32Array
}

/** Rounding differences between two ways to sum the same cosine are smaller. */
const cosineTolerance = 1e-6

/**
 * Recall@k of the index: the share of the `k` exact neighbors of random items that it finds. A row counts as found if
 * its cosine reaches the k-th exact one, because equal vectors have no order.
 */
export function indexRecall(table: EmbeddingTable, index: HnswIndex, k: number, items: number): number {
  const { rows } = table.manifest
  const random = Random.of('recall')
  const queries = Int32Array.from({ length: Math.min(items, rows) }, () => random.int(rows))
  const vectors = table.vectorsAt(queries)
  const exact = nearestRows(table, vectors, k, Array.from(queries))
  let [hits, all] = [0, 0]
  for (const [q, row] of queries.entries()) {
    const found = index.nearest(vectors.slice(q * table.width, (q + 1) * table.width), k, row)
    const last = exact[q].at(-1)?.score ?? 0
    hits += found.filter(({ score }) => score >= last - cosineTolerance).length
    all += exact[q].length
  }
  return all === 0 ? 1 : hits / all
}
