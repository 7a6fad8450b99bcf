/** Items beside those whose vectors are nearest, as people see them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
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

/** Where the catalogue lies and how its columns are called. */
export interface CatalogueSource {
  path: string
  columns: ItemColumns
  maxImagePixels: number
}

/** Makes cards of items, with their thumbnails. */
export async function itemCards(db: Database, { path, columns, maxImagePixels }: CatalogueSource, ids: readonly Id[]) {
  const { folder, items } = await lookUpItems(db, path, columns, ids)
  const cards = new Map<Id, Card>()
  for (const [id, { title, picture }] of items) {
    cards.set(id, { text: title, picture: await thumbnail(picture, { folder, maxPixels: maxImagePixels }) })
  }
  return (id: Id, more: Partial<Card> = {}): Card => ({ ...(cards.get(id) ?? { text: `item ${id}` }), ...more })
}

const asked = 6
const shown = 7

/** Random items of a table with those whose vectors are nearest. */
export async function showNeighbors(db: Database, source: CatalogueSource, table: EmbeddingTable): Promise<Child> {
  const { rows } = table.manifest
  const drawn = Random.of('neighbors')
  const queries = [...new Set(Array.from({ length: Math.min(asked, rows) }, () => drawn.int(rows)))].sort(
    (a, b) => a - b,
  )
  const vectors = table.vectorsAt(Int32Array.from(queries))
  const found = nearestRows(table, vectors, shown, queries)
  const id = (row: number) => table.ids.read(row, 1)[0]
  const card = await itemCards(db, source, [...queries, ...found.flat().map(({ row }) => row)].map(id))
  return gallery(
    'Nearest neighbors',
    'Random items, and the seven items whose vectors are nearest.',
    queries.map((row, q) => ({ asked: card(id(row)), found: found[q].map((near) => card(id(near.row))) })),
  )
}

/** What neighbors are looked for: those of an item, of words, of a picture, or of words and a picture. */
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

/** Items of a list of rows, with what the catalogue says of them. */
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
 * Row of an item that a person named.
 * @throws UserError `item-unknown` where the table does not have it.
 */
export function rowOf(table: EmbeddingTable, item: string): number {
  const isInteger = /^-?\d+$/.test(item)
  const id: Id | undefined = table.ids.kind === 'string' ? item : isInteger ? BigInt(item) : undefined
  const row = id === undefined ? -1 : table.ids.find([id])[0]
  if (row >= 0) return row
  throw new UserError({ id: 'item-unknown', where: table.folder, what: `item ${item} has no vector in this table` })
}

/**
 * The content vector of words, of the picture in a file, or of both, as the model of a run makes it.
 * @throws UserError `model-differs` where the run has another model than the table; `image-unreadable`.
 */
export async function queryVector(
  config: EmbedConfig,
  table: EmbeddingTable,
  { text, image }: Query,
  say: (line: string) => void,
): Promise<Float32Array> {
  const model = await openCheckpoint(config.checkpoint)
  const version = await versionOf(model.path)
  // What is asked for is near enough in float32.
  if (version !== modelOf(table.manifest.model_version)) {
    const what = `the table is of model ${table.manifest.model_version}, ${config.checkpoint} is ${version}`
    throw new UserError({ id: 'model-differs', what, remedy: 'run mim embed again, or give the right --checkpoint' })
  }
  const folder = await mkdtemp(join(tmpdir(), 'mim-'))
  const { words = 0 } = table.manifest
  const setup = encoderSetup({ ...config, words }, model, join(folder, 'onnx'))
  try {
    const [decoded] = await decodeAll([image ?? null], { folder: '.', allowOutside: true }, pictureOptions(setup))
    if (decoded instanceof Error) {
      throw new UserError({ id: 'image-unreadable', where: image, what: decoded.message, expected: 'a picture' })
    }
    await exportEncoder(model.path, setup.shape, setup.folder)
    const encoder = await ItemEncoder.open(setup, say)
    const [{ embedding }] = await encoder.encode([decoded], [text ?? null])
    await encoder.close()
    return storedVector(embedding, table.width, 'float32') as Float32Array
  } finally {
    await rm(folder, { recursive: true })
  }
}

/**
 * Share of the `k` exact neighbors of some random items that the index finds. A row as near as the last exact one
 * counts as one of them: among equal vectors no order is the right one.
 */
export function indexRecall(table: EmbeddingTable, index: HnswIndex, k: number, items: number): number {
  const { rows } = table.manifest
  const drawn = Random.of('recall')
  const queries = Int32Array.from({ length: Math.min(items, rows) }, () => drawn.int(rows))
  const vectors = table.vectorsAt(queries)
  const exact = nearestRows(table, vectors, k, Array.from(queries))
  let [hits, all] = [0, 0]
  for (const [q, row] of queries.entries()) {
    const found = index.nearest(vectors.slice(q * table.width, (q + 1) * table.width), k, row)
    const last = exact[q].at(-1)?.score ?? 0
    hits += found.filter(({ score }) => score >= last - rounding).length
    all += exact[q].length
  }
  return all === 0 ? 1 : hits / all
}

/** Two ways to sum the same cosine differ by no more. */
const rounding = 1e-6
