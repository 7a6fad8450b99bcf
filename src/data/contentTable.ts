import { UserError } from '../errors.js'
import { arrayOf } from '../ops/tensor.js'
import { type Database, identifier, literal } from './duckdb.js'
import { idsOf, numberedIds, openTable, parquetSource, requireSameIds } from './table.js'

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
  /** By dense item number, see sketch.ts; where histories are searched by content. */
  sketches?: Int32Array
}

/** An embedding table and how it is read. */
export interface ContentSource {
  path: string
  /** How vectors are held in memory. */
  type: ContentTable['type']
  /** Columns of ids and of vectors. */
  item: string
  embedding: string
  /** What stored numbers are multiplied by. */
  scale: number
  /** Scale each vector to length 1? */
  normalise: boolean
}

/**
 * Reads an embedding table. `numbers` is the DuckDB table of `item_id` and dense `item`, `count` of them.
 * int8 of a file that has int8 stays as it is; else the largest number of all sets the scale.
 * @throws UserError of `openTable` and `requireSameIds`; `vector-lengths` for vectors of unequal length.
 */
export async function loadContent(
  db: Database,
  { path, type, item, embedding, scale: stated, normalise }: ContentSource,
  numbers: string,
  count: number,
): Promise<ContentTable> {
  const table = await openTable(db, path, { [item]: { type: 'id', unique: true }, [embedding]: { type: 'vector' } })
  requireSameIds('item', [await numberedIds(db, numbers), idsOf(table, item)])
  const [id, column] = [identifier(item), identifier(embedding)]
  const width = await commonLength(db, table.source, path, embedding)
  const known = `${table.source} t JOIN ${numbers} n ON t.${id} = n.item_id WHERE t.${column} IS NOT NULL`
  const isInt8 = /^TINYINT/.test(table.columns.get(embedding)!)
  const scale = isInt8 && stated === 1 ? await footerScale(db, path) : stated
  const isAsStored = type === 'int8' && isInt8 && !normalise
  const norm = normalise
    ? `greatest(sqrt(list_sum(list_transform(v, lambda x: x * x))), 1e-12)`
    : `${1 / scale}::DOUBLE`
  const scaled = `SELECT item, list_transform(v, lambda x: x / ${norm}) AS v FROM
    (SELECT n.item, CAST(t.${column} AS DOUBLE[]) AS v FROM ${known})`
  const read = isAsStored || (scale === 1 && !normalise) ? `SELECT n.item, t.${column} AS v FROM ${known}` : scaled
  const held = isAsStored ? scale : type === 'int8' ? await scaleOf(db, read) : 1

  const rows = 1 + (await db.count(known))
  const vectors = new arrayOf[type](rows * width)
  const rowOf = new Int32Array(count)
  let row = 1
  for await (const batch of db.batches(`${read} ORDER BY item`, { item: 'int32', v: 'float32[]' })) {
    const { values } = batch.v
    if (type === 'int8') quantise(values, isAsStored ? 1 : held, vectors as Int8Array, row * width)
    else vectors.set(values, row * width)
    for (const known of batch.item) rowOf[known] = row++
  }
  return { width, vectors, type, scale: held, rows, rowOf }
}

/** The scale that the files themselves tell, as those of `mim embed` do; 1 where they tell none. */
async function footerScale(db: Database, path: string): Promise<number> {
  const [found] = await db.rows<{ scale: number }>(
    `SELECT CAST(decode(value) AS DOUBLE) AS scale FROM parquet_kv_metadata(${literal(parquetSource(path))})
     WHERE decode(key) = 'scale' LIMIT 1`,
  )
  return found?.scale ?? 1
}

/** Writes numbers as int8 of a scale from place `at` of `into` on; the error is half the scale at most. */
export function quantise(numbers: Float32Array, scale: number, into: Int8Array, at: number): void {
  for (let i = 0; i < numbers.length; i++) into[at + i] = Math.round(numbers[i] / scale)
}

/** The scale at which the largest number of all vectors `v` of a query is 127. */
async function scaleOf(db: Database, query: string): Promise<number> {
  const { largest } = await db.row<{ largest: number | null }>(
    `SELECT max(list_max(list_transform(v, lambda x: abs(CAST(x AS FLOAT))))) AS largest FROM (${query})`,
  )
  return largest ? largest / 127 : 1
}

async function commonLength(db: Database, source: string, path: string, embedding: string): Promise<number> {
  const column = identifier(embedding)
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
    where: `${path}: column '${embedding}'`,
    what,
    expected: 'one length',
    remedy: 'run mim embed again',
  })
}
