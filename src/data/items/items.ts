/** The catalogue: items sorted by id, each with an item number (from 0) that all other code uses. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { pictureKinds, pictureSql, picturesOf, selectPictures } from '../pictures/column.js'
import type { PictureInput } from '../pictures/files.js'
import { fingerprintOf, type PictureSource } from '../pictures/prepare.js'
import { writeRejected } from '../pictures/rejected.js'
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
  const pictures = selectPictures(pictureSql(image, table.columns.get(image)))
  const query = `SELECT n.item, ${pictures} FROM ${joined} WHERE n.item IN (${wanted.join(', ')})`
  const read = await db.columns(query, { item: 'int32', ...pictureKinds })
  const found = picturesOf(read)
  return new Map(Array.from(read.item, (number, i) => [number, found[i]]))
}

/** Pictures read at a time: enough to keep the decoders busy, few enough for memory. */
const piecePictures = 256

async function itemPictures(db: Database, table: Table, column: string, joined: string): Promise<PictureSource> {
  const folder = folderOf(table.path)
  const type = table.columns.get(column)
  const sql = pictureSql(column, type)
  const ordered = `FROM ${joined} ORDER BY n.item`
  const query = `SELECT n.item, ${selectPictures(sql)} ${ordered}`
  return {
    count: table.rows,
    fingerprint: await fingerprintOf(
      folder,
      db.batches(`SELECT md5(${sql.bytes}) AS hash, ${sql.path} AS path ${ordered}`, {
        hash: 'string',
        path: 'string',
      }),
    ),
    folder,
    where: `${table.path}: column '${column}'`,
    async *read() {
      let pending: (PictureInput | null)[] = []
      for await (const batch of db.batches(query, pictureKinds)) {
        pending.push(...picturesOf(batch))
        for (; pending.length >= piecePictures; pending = pending.slice(piecePictures)) {
          yield pending.slice(0, piecePictures)
        }
      }
      if (pending.length > 0) yield pending
    },
    async origin(): Promise<PictureOrigin> {
      // Paths fit into memory, pictures written as text do not.
      if (type === 'VARCHAR' && (await db.count(`(${query}) WHERE ltrim(path) ILIKE 'data:%'`)) === 0) {
        const { path } = await db.columns(query, { path: 'string' })
        return { paths: SharedTexts.of(path).packed }
      }
      const places = `SELECT file_index AS file, file_row_number AS "row" FROM ${joined} ORDER BY n.item`
      const { file, row } = await db.columns(places, { file: 'int32', row: 'int32' })
      const names = `SELECT DISTINCT file_index AS file, filename FROM ${table.source} ORDER BY file`
      const files = (await db.rows<{ filename: string }>(names)).map(({ filename }) => filename)
      return { column, type: type!, files, file: shareArray(file), row: shareArray(row) }
    },
    list: (rejected, file) => writeRejected(db, itemNumbers, rejected, file),
  }
}

/** The folder that paths in a table are relative to. */
export function folderOf(path: string): string {
  return existsSync(path) && statSync(path).isDirectory() ? path : dirname(path)
}
