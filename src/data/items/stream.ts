/** Streams a catalogue of any size, in the order of its files. */
import { UserError } from '../../base/errors.js'
import { type Id, type IdKind, idKind } from '../../store/index.js'
import type { DataFacts } from '../facts.js'
import { pictureKinds, pictureSql, picturesOf, selectPictures } from '../pictures/column.js'
import type { PictureInput } from '../pictures/files.js'
import type { Table } from '../tables/contract.js'
import { type Database, identifier } from '../tables/duckdb.js'
import { type ItemColumns, modalitiesOf, openItems } from './columns.js'
import { folderOf } from './items.js'
import type { Shard } from './shard.js'
import { titleNames, titleSql } from './titles.js'

export interface ItemPiece {
  ids: Id[]
  /** Trimmed; null for none. */
  titles: (string | null)[]
  pictures: (PictureInput | null)[]
}

export interface ItemStream {
  /** Items of the shard, or of the whole catalogue. */
  count: number
  /** A share of the items by a hash of their ids, which is the same on every machine; undefined: all. */
  shard: Shard | undefined
  kind: IdKind
  /** DuckDB type of the ids, which outputs have again. */
  idType: string
  /** Folder that paths of pictures are relative to. */
  folder: string
  /** Table and column of the pictures, for errors. */
  where: string
  /** Changes whenever an item is added to or removed from the whole catalogue. */
  fingerprint: string
  /** The ids of the shard, ascending. */
  sortedIds(): AsyncIterable<Id[]>
  read(): AsyncIterable<ItemPiece>
}

/**
 * Opens and checks the items table. What it lacks goes to the notes of `facts`.
 * @throws UserError of `openTable`; `items-empty` for a table without rows; `items-content` for one with neither
 * titles nor pictures.
 */
export async function openItemStream(
  db: Database,
  path: string,
  names: ItemColumns,
  shard?: Shard,
  facts?: DataFacts,
): Promise<ItemStream> {
  const { id, title, image } = names
  const table = await openItems(db, path, names, { unique: true }, facts)
  checkContent(table, names)
  const { columns, source } = table
  const hash = `md5_number_lower(CAST(${identifier(id)} AS VARCHAR))`
  const rows = shard ? `${source} WHERE ${hash} % ${shard.count} = ${shard.index}` : source
  const { total, mixed } = await db.row<{ total: bigint; mixed: bigint }>(
    `SELECT count(*) AS total, bit_xor(${hash}) AS mixed FROM ${source}`,
  )
  const kind = idKind(columns.get(id)!)
  const idColumn = { integer: 'int64', unsigned: 'string', string: 'string' } as const
  const idsOf = (values: BigInt64Array | (string | null)[]): Id[] =>
    kind === 'unsigned' ? (values as string[]).map(BigInt) : ([...values] as Id[])
  const pictures = selectPictures(pictureSql(image, columns.get(image)))
  return {
    count: shard ? await db.count(rows) : Number(total),
    shard,
    kind,
    idType: columns.get(id)!,
    folder: folderOf(path),
    where: `${path}: column '${image}'`,
    fingerprint: `${total}-${mixed}`,
    async *sortedIds() {
      const query = `SELECT ${identifier(id)} AS ids FROM ${rows} ORDER BY 1`
      for await (const { ids } of db.batches(query, { ids: idColumn[kind] })) yield idsOf(ids)
    },
    async *read() {
      const query = `SELECT ${identifier(id)} AS ids, ${titleSql(columns, title)} AS titles, ${pictures}
        FROM ${rows}`
      const kinds = { ids: idColumn[kind], titles: 'string', ...pictureKinds } as const
      for await (const batch of db.batches(query, kinds)) {
        yield { ids: idsOf(batch.ids), titles: batch.titles, pictures: picturesOf(batch) }
      }
    },
  }
}

function checkContent(table: Table, columns: ItemColumns): void {
  const { path, rows } = table
  if (rows === 0) {
    const [what, expected] = ['the catalogue has no items', 'at least one row']
    throw new UserError({ id: 'items-empty', where: path, what, expected })
  }
  const { hasTitles, hasPictures } = modalitiesOf(table, columns)
  if (hasTitles || hasPictures) return
  const what = `there is no column '${titleNames(columns.title)}' or '${columns.image}'`
  const remedy = 'name the columns with data.columns'
  throw new UserError({ id: 'items-content', where: path, what, expected: 'titles, pictures or both', remedy })
}
