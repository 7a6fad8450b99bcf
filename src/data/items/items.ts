/** The catalogue: items sorted by id, each with an item number (from 0) that all other code uses. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DataFacts } from '../facts.js'
import { pictureKinds, pictureSql, picturesOf, selectPictures } from '../pictures/column.js'
import type { PictureInput } from '../pictures/files.js'
import { fingerprintOf, type PictureSource } from '../pictures/prepare.js'
import { writeRejected } from '../pictures/rejected.js'
import type { PictureOrigin } from '../pictures/stream.js'
import { requireRows, type Table } from '../tables/contract.js'
import { Database, identifier } from '../tables/duckdb.js'
import { SharedTexts, shareArray } from '../tables/sharedMemory.js'
import { fileColumn, fileNumberColumn, fileRowColumn } from '../tables/source.js'
import { type ItemColumns, openItems } from './columns.js'
import { titleSql } from './titles.js'

export type { ItemColumns } from './columns.js'

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

/**
 * Opens and checks the items table and numbers the items. What the table lacks goes to the notes of `facts`.
 * @throws UserError of `openTable`; `table-empty`
 */
export async function loadItems(db: Database, path: string, columns: ItemColumns, facts?: DataFacts): Promise<Items> {
  const { id, title, image, category } = columns
  const table = await openItems(db, path, columns, { unique: true }, facts)
  requireRows(table, 'items')
  const column = (name: string) => (table.columns.has(name) ? `t.${identifier(name)}` : 'NULL')
  const joined = await numberItems(db, table, id)
  const { titles } = await db.columns(
    `SELECT ${titleSql(table.columns, title, 't')} AS titles FROM ${joined} ORDER BY n.item`,
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

/**
 * Creates the table `itemNumbers`; returns the FROM clause that joins it, as `n`, to the items table, as `t`, with the
 * places of the rows.
 */
async function numberItems(db: Database, { source, placed }: Table, id: string): Promise<string> {
  await db.run(`CREATE OR REPLACE TEMP TABLE ${itemNumbers} AS
    SELECT ${identifier(id)} AS item_id, CAST(row_number() OVER (ORDER BY ${identifier(id)}) - 1 AS INTEGER) AS item
    FROM ${source}`)
  return `${placed} t JOIN ${itemNumbers} n ON t.${identifier(id)} = n.item_id`
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
  const pictures = selectPictures(pictureSql(image, table.columns.get(image), 't'))
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
  const sql = pictureSql(column, type, 't')
  const ordered = `FROM ${joined} ORDER BY n.item`
  const query = `SELECT n.item, ${selectPictures(sql)} ${ordered}`
  return {
    count: table.rows,
    of: 'data.items',
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
    async paths(step: number) {
      const some = `SELECT path FROM (SELECT n.item, ${sql.path} AS path FROM ${joined}) WHERE item % ${step} = 0 ORDER BY item`
      return (await db.columns(some, { path: 'string' })).path
    },
    async origin(): Promise<PictureOrigin> {
      // Paths fit into memory, pictures written as text do not.
      if (type === 'VARCHAR' && (await db.count(`(${query}) WHERE ltrim(path) ILIKE 'data:%'`)) === 0) {
        const { path } = await db.columns(query, { path: 'string' })
        return { paths: SharedTexts.of(path).packed }
      }
      const { file, row, files } = await placesOf(db, table, joined)
      return { column, type: type!, files, file: shareArray(file), row: shareArray(row) }
    },
    list: (rejected, file) => writeRejected(db, itemNumbers, rejected, file),
  }
}

/** For each item the number of its file and the row in it; the paths of the files by number. */
async function placesOf(db: Database, { placed }: Table, joined: string) {
  const places = `SELECT ${fileNumberColumn} AS file, ${fileRowColumn} AS "row" FROM ${joined} ORDER BY n.item`
  const { file, row } = await db.columns(places, { file: 'int32', row: 'int32' })
  const paths = `SELECT DISTINCT ${fileNumberColumn} AS number, ${fileColumn} AS path FROM ${placed}`
  const files: string[] = []
  // Files without rows have a number too.
  for (const { number, path } of await db.rows<{ number: bigint; path: string }>(paths)) files[Number(number)] = path
  return { file, row, files }
}

/** The folder that paths in a table are relative to. */
export function folderOf(path: string): string {
  return existsSync(path) && statSync(path).isDirectory() ? path : dirname(path)
}
