import { UserError } from '../errors.js'
import { arrayOf } from '../ops/tensor.js'
import { type Database, identifier } from './duckdb.js'
import { idsOf, numberedIds, openTable, requireSameIds } from './table.js'

/** Frozen vectors of items, for look-up by row. */
export interface ContentTable {
  width: number
  /** Row 0 is zero and means "no vector"; [rows, width], to be multiplied by `scale`. */
  vectors: Float32Array | Int8Array
  type: 'float32' | 'int8'
  scale: number
  rows: number
  /** Row of each dense item number; 0 where the table does not have the item. */
  rowOf: Int32Array
}

/**
 * Reads an embedding table. `numbers` is the DuckDB table of `item_id` and dense `item`, `count` of them.
 * @throws UserError of `openTable` and `requireSameIds`; `vector-lengths` for vectors of unequal length.
 */
export async function loadContent(
  db: Database,
  path: string,
  numbers: string,
  count: number,
  type: ContentTable['type'],
): Promise<ContentTable> {
  const table = await openTable(db, path, { item_id: { type: 'id', unique: true }, embedding: { type: 'vector' } })
  requireSameIds('item', [await numberedIds(db, numbers), idsOf(table, 'item_id')])
  const width = await commonLength(db, table.source, path)
  const read = await db.columns(
    `SELECT n.item, t.embedding FROM ${table.source} t JOIN ${numbers} n ON t.item_id = n.item_id
     WHERE t.embedding IS NOT NULL ORDER BY n.item`,
    { item: 'int32', embedding: 'float32[]' },
  )
  const stored = type === 'int8' ? quantise(read.embedding.values) : { values: read.embedding.values, scale: 1 }
  const vectors = new arrayOf[type]((read.rows + 1) * width)
  vectors.set(stored.values, width)
  const rowOf = new Int32Array(count)
  read.item.forEach((item, i) => {
    rowOf[item] = i + 1
  })
  return { width, vectors, type, scale: stored.scale, rows: read.rows + 1, rowOf }
}

/** Numbers as int8 of one scale; the error is half the scale at most. */
export function quantise(numbers: Float32Array): { values: Int8Array; scale: number } {
  let largest = 0
  for (const x of numbers) largest = Math.max(largest, Math.abs(x))
  const scale = largest > 0 ? largest / 127 : 1
  const values = new Int8Array(numbers.length)
  for (let i = 0; i < numbers.length; i++) values[i] = Math.round(numbers[i] / scale)
  return { values, scale }
}

async function commonLength(db: Database, source: string, path: string): Promise<number> {
  const column = identifier('embedding')
  const lengths = await db.rows<{ length: bigint; count: bigint }>(
    `SELECT len(${column}) AS length, count(*) AS count FROM ${source} WHERE ${column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 2`,
  )
  if (lengths.length === 1) return Number(lengths[0].length)
  const what =
    lengths.length === 0
      ? 'the table has no vectors'
      : `vectors of ${lengths[0].length} and of ${lengths[1].length} numbers`
  throw new UserError({
    id: 'vector-lengths',
    where: `${path}: column 'embedding'`,
    what,
    expected: 'one length',
    remedy: 'run mim embed again',
  })
}
