/** Reads content vectors from a table that `mim embed` published, or from any Parquet table. */
import { UserError } from '../../base/errors.js'
import { Resources } from '../../base/resources.js'
import { requireStage } from '../../base/runStage.js'
import {
  EmbeddingTable,
  type Id,
  publishedFolder,
  type VectorName,
  type VectorType,
  vectorNames,
} from '../../store/index.js'
import { idsOf, locate, numberedIds, openTable, requireRows, requireSameIds, type Table } from '../tables/contract.js'
import type { IdSet } from '../tables/coverage.js'
import { type Database, identifier } from '../tables/duckdb.js'

/** A table of vectors and the names of its id and vector columns. */
export interface VectorTable {
  path: string
  item: string
  embedding: string
}

export type Numbers = Float32Array | Int8Array

/** Vectors of items by their item numbers. Close it when done. */
export interface VectorSource extends Disposable {
  width: number
  /** Type of the stored numbers; stored numbers times `scale` are the vectors. */
  type: VectorType
  scale: number
  /** Rows of the table, with or without a vector, of known items or others. */
  rows: number
  /** Columns of the table that are not read. */
  others: readonly string[]
  /** Item numbers of the items with a vector, each once. */
  items: Int32Array
  /** Item numbers with the stored vectors [items, width]; may be read several times. */
  read(): AsyncIterable<{ items: Int32Array; vectors: Numbers }>
}

/**
 * Opens a table of vectors for the items of `numbers`, a DuckDB table of `item_id` and item number `item` with `count`
 * rows.
 * @throws UserError of `openTable`, `EmbeddingTable.open` and `requireSameIds`; `vector-lengths` for vectors of
 * different lengths; `vector-value` from `read` for numbers that are not finite in a published table.
 */
export async function openVectors(
  db: Database,
  { path, item, embedding }: VectorTable,
  numbers: string,
  count: number,
): Promise<VectorSource> {
  const published = publishedVectors({ path, item, embedding })
  if (!published) requireStage(path, ['embed'], 'data.embeddings')
  return published && isVector(embedding)
    ? await fromPublished(db, published, embedding, numbers, count)
    : await fromParquet(db, { path, item, embedding }, numbers)
}

/** The folder of a published table with these columns; undefined for a Parquet table. */
export function publishedVectors({ path, item, embedding }: VectorTable): string | undefined {
  return item === 'item_id' && isVector(embedding) ? publishedFolder(path) : undefined
}

const isVector = (name: string): name is VectorName => (vectorNames as readonly string[]).includes(name)

/** Vectors read at a time. */
const pieceRows = 4096

/** Reads only the vectors of the items, in the order of the table. */
async function fromPublished(
  db: Database,
  folder: string,
  name: VectorName,
  numbers: string,
  count: number,
): Promise<VectorSource> {
  using opened = new Resources()
  const table = opened.use(EmbeddingTable.open(folder))
  const { widths, type, scale, id_type: idType } = table.manifest
  const where = `${table.folder}: column '${name}'`
  requireSameIds('item', [await numberedIds(db, numbers), { path: `${table.folder}: its ids`, type: idType }])
  const [items, rows] = [new Int32Array(count), new Int32Array(count)]
  let hits = 0
  const query = `SELECT CAST(item_id AS VARCHAR) AS ids, item FROM ${numbers} ORDER BY item_id`
  for await (const { ids, item } of db.batches(query, { ids: 'string', item: 'int32' })) {
    const wanted = ids.map((id): Id => (table.ids.kind === 'string' ? id! : BigInt(id!)))
    for (const [i, row] of table.find(wanted, name).entries()) {
      if (row < 0) continue
      items[hits] = item[i]
      rows[hits++] = row
    }
  }
  opened.release()
  return {
    width: widths[name],
    type,
    scale,
    rows: table.manifest.rows,
    others: vectorNames.filter((other) => other !== name),
    items: items.subarray(0, hits),
    async *read() {
      for (let from = 0; from < hits; from += pieceRows) {
        const to = Math.min(from + pieceRows, hits)
        const bytes = table.stored(rows.subarray(from, to), name)
        const vectors = type === 'int8' ? new Int8Array(bytes.buffer) : new Float32Array(bytes.buffer)
        const bad = vectors.findIndex((x) => !Number.isFinite(x))
        if (bad >= 0) {
          const [id] = table.ids.read(rows[from + Math.floor(bad / widths[name])], 1)
          const [expected, remedy] = ['finite numbers', 'run mim embed again']
          throw new UserError({ id: 'vector-value', where, what: `item ${id}: ${vectors[bad]}`, expected, remedy })
        }
        yield { items: items.subarray(from, to), vectors }
      }
    },
    [Symbol.dispose]: () => table.close(),
  }
}

/** Checks all rows of a Parquet table and joins them with the items. */
async function fromParquet(
  db: Database,
  { path, item, embedding }: VectorTable,
  numbers: string,
): Promise<VectorSource> {
  const table = await openTable(db, path, { [item]: { type: 'id', unique: true }, [embedding]: { type: 'vector' } })
  requireRows(table, 'vectors')
  requireSameIds('item', [await numberedIds(db, numbers), idsOf(table, item)])
  const [id, column] = [identifier(item), identifier(embedding)]
  const known = `${table.source} t JOIN ${numbers} n ON t.${id} = n.item_id WHERE t.${column} IS NOT NULL`
  const isInt8 = /^TINYINT/.test(table.columns.get(embedding)!)
  return {
    width: await commonLength(db, table, embedding),
    type: isInt8 ? 'int8' : 'float32',
    scale: isInt8 ? await footerScale(db, table.files) : 1,
    rows: table.rows,
    others: table.names.filter((name) => !table.columns.has(name) || ![item, embedding].some(isName(name))),
    items: (await db.columns(`SELECT n.item FROM ${known}`, { item: 'int32' })).item,
    async *read() {
      const query = `SELECT n.item AS items, t.${column} AS vectors FROM ${known}`
      for await (const { items, vectors } of db.batches(query, { items: 'int32', vectors: 'float32[]' })) {
        yield { items, vectors: vectors.values }
      }
    },
    [Symbol.dispose]: () => {},
  }
}

const isName = (name: string) => (other: string) => other.toLowerCase() === name.toLowerCase()

/** The scale in the metadata of the files, as `mim embed` writes it; 1 without one. */
async function footerScale(db: Database, files: string): Promise<number> {
  const [found] = await db.rows<{ scale: number }>(
    `SELECT CAST(decode(value) AS DOUBLE) AS scale FROM parquet_kv_metadata(${files})
     WHERE decode(key) = 'scale' LIMIT 1`,
  )
  return found?.scale ?? 1
}

/** @throws UserError `vector-lengths` with the row of a vector that is not as long as most are. */
async function commonLength(db: Database, table: Table, embedding: string): Promise<number> {
  const column = identifier(embedding)
  const { path, source } = table
  const lengths = await db.rows<{ length: bigint; count: bigint }>(
    `SELECT len(${column}) AS length, count(*) AS count FROM ${source} WHERE ${column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 DESC LIMIT 2`,
  )
  const [most, odd] = lengths.map(({ length }) => Number(length))
  if (lengths.length === 1 && most > 0) return most
  const [id, where] = ['vector-lengths', `${path}: column '${embedding}'`]
  if (odd === undefined) {
    const what = lengths.length === 0 ? 'every vector is null' : 'every vector is an empty list'
    throw new UserError({ id, where, what, expected: 'vectors of one length', remedy: 'write the table again' })
  }
  const place = await locate(db, table, embedding, `len(${column}) = ${odd}`)
  throw new UserError({
    id,
    where: place.where,
    what: `a vector of ${odd} numbers; ${lengths[0].count} vectors have ${most}`,
    expected: 'vectors of one length, null for an item without a vector',
    remedy: 'write the vector again, or drop the row',
  })
}

/** The ids of a table of vectors. */
export function vectorIds(db: Database, { path, item, embedding }: VectorTable): IdSet {
  const published = publishedVectors({ path, item, embedding })
  const where = `${path}: column '${item}'`
  if (published) return { where, ids: () => publishedIds(db, published) }
  const ids = async () => {
    const { source } = await openTable(db, path, { [item]: { type: 'id' } })
    return `SELECT ${identifier(item)} AS id FROM ${source}`
  }
  return { where, ids }
}

async function publishedIds(db: Database, folder: string): Promise<string> {
  using table = EmbeddingTable.open(folder)
  return await copyIds(db, table)
}

/** Copies the ids of a published table into a table of the database; returns SQL that reads it. */
export async function copyIds(
  db: Database,
  { ids, manifest: { rows, id_type: type } }: EmbeddingTable,
): Promise<string> {
  await db.run(`CREATE OR REPLACE TEMP TABLE published_ids (id ${type})`)
  for (let from = 0; from < rows; from += pieceRows) {
    await db.insert('published_ids', [ids.read(from, Math.min(pieceRows, rows - from))])
  }
  return 'SELECT id FROM published_ids'
}
