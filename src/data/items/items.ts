/** The catalogue: items sorted by id, each with an item number (from 0) that all other code uses. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { PictureInput } from '../pictures/files.js'
import { fingerprintOfFiles, type PictureSource } from '../pictures/prepare.js'
import type { PictureOrigin } from '../pictures/stream.js'
import { openTable, type Table } from '../tables/contract.js'
import { Database, identifier } from '../tables/duckdb.js'
import { SharedTexts, shareArray } from '../tables/sharedMemory.js'
import { type TitleColumns, titleRules, titleSql } from './titles.js'

export interface ItemColumns {
  id: string
  title: TitleColumns
  image: string
  category: string
}

export interface Items {
  table: Table
  /** The DuckDB table that numbers them: `item_id` (native type) and `item` (item number). */
  numbers: string
  count: number
  /** DuckDB type of the ids, which outputs have again. */
  idType: string
  titles: (string | null)[]
  /** Index in `categoryNames` of each item's category; −1 for none. */
  category: Int32Array
  categoryNames: string[]
  pictures: PictureSource
}

const itemNumbers = 'item_numbers'

/** Opens and checks the items table and numbers the items. */
export async function loadItems(db: Database, path: string, columns: ItemColumns): Promise<Items> {
  const { id, title, image, category } = columns
  const table = await openTable(db, path, {
    [id]: { type: 'id', unique: true },
    ...titleRules(title),
    [image]: { type: 'image', optional: true },
  })
  const column = (name: string) => (table.columns.has(name) ? identifier(name) : 'NULL')
  const joined = await numberItems(db, table, id)
  const { titles } = await db.columns(
    `SELECT ${titleSql(table.columns, title)} AS titles FROM ${joined} ORDER BY n.item`,
    { titles: 'string' },
  )
  const categories = await db.columns(
    `SELECT CAST(${column(category)} AS VARCHAR) AS name FROM ${joined} ORDER BY n.item`,
    { name: 'string' },
  )
  const categoryNames = [...new Set(categories.name.filter((name) => name !== null))].sort()
  const numberOf = new Map(categoryNames.map((name, i) => [name, i]))
  return {
    table,
    numbers: itemNumbers,
    count: table.rows,
    idType: table.columns.get(id)!,
    titles,
    category: Int32Array.from(categories.name, (name) => (name === null ? -1 : numberOf.get(name)!)),
    categoryNames,
    pictures: await itemPictures(db, table, image, joined),
  }
}

/** Creates the table `itemNumbers`; returns the FROM clause that joins it, as `n`, to the items table, as `t`. */
async function numberItems(db: Database, { source }: Table, id: string): Promise<string> {
  await db.run(`CREATE OR REPLACE TEMP TABLE ${itemNumbers} AS
    SELECT ${identifier(id)} AS item_id, CAST(row_number() OVER (ORDER BY ${identifier(id)}) - 1 AS INTEGER) AS item
    FROM ${source}`)
  return `${source} t JOIN ${itemNumbers} n ON t.${identifier(id)} = n.item_id`
}

/** The encoded pictures of a few items, read from the table again. */
export async function readPictures(
  { table }: Items,
  { id, image }: ItemColumns,
  items: Iterable<number>,
): Promise<Map<number, PictureInput | null>> {
  const wanted = [...new Set(items)]
  if (!table.columns.has(image) || wanted.length === 0) return new Map()
  using db = await Database.open()
  const joined = await numberItems(db, table, id)
  const { item, picture } = await db.columns(
    `SELECT n.item, t.${identifier(image)} AS picture FROM ${joined} WHERE n.item IN (${wanted.join(', ')})`,
    { item: 'int32', picture: isPath(table, image) ? 'string' : 'blob' },
  )
  return new Map(Array.from(item, (number, i) => [number, picture[i]]))
}

const isPath = (table: Table, image: string) => /VARCHAR/.test(table.columns.get(image) ?? '')

/** Pictures read at a time: enough to keep the decoders busy, few enough for memory. */
const piecePictures = 256

async function itemPictures(db: Database, table: Table, column: string, joined: string): Promise<PictureSource> {
  const folder = folderOf(table.path)
  const type = table.columns.get(column)
  const kind = isPath(table, column) ? 'string' : 'blob'
  const query = `SELECT n.item, ${type ? identifier(column) : 'CAST(NULL AS BLOB)'} AS picture FROM ${joined} ORDER BY n.item`
  return {
    count: table.rows,
    fingerprint:
      kind === 'string'
        ? fingerprintOfFiles(folder, (await db.columns(query, { picture: kind })).picture)
        : await fingerprintOfBytes(db, query),
    folder,
    async *read() {
      let pending: (Uint8Array | string | null)[] = []
      for await (const { picture } of db.batches(query, { picture: kind })) {
        pending.push(...(picture as (Uint8Array | string | null)[]))
        for (; pending.length >= piecePictures; pending = pending.slice(piecePictures)) {
          yield pending.slice(0, piecePictures)
        }
      }
      if (pending.length > 0) yield pending
    },
    async origin(): Promise<PictureOrigin> {
      if (kind === 'string') {
        const { picture } = await db.columns(query, { picture: kind })
        return { paths: SharedTexts.of(picture).packed }
      }
      const places = `SELECT file_index AS file, file_row_number AS "row" FROM ${joined} ORDER BY n.item`
      const { file, row } = await db.columns(places, { file: 'int32', row: 'int32' })
      const names = `SELECT DISTINCT file_index AS file, filename FROM ${table.source} ORDER BY file`
      const files = (await db.rows<{ filename: string }>(names)).map(({ filename }) => filename)
      return { column, files, file: shareArray(file), row: shareArray(row) }
    },
  }
}

async function fingerprintOfBytes(db: Database, query: string): Promise<string> {
  const { fingerprint } = await db.row<{ fingerprint: string | null }>(
    `SELECT md5(string_agg(coalesce(md5(picture), '') ORDER BY item)) AS fingerprint FROM (${query})`,
  )
  return fingerprint ?? ''
}

/** The folder that paths in a table are relative to. */
export function folderOf(path: string): string {
  return existsSync(path) && statSync(path).isDirectory() ? path : dirname(path)
}
