import { arrayOf } from '../../ops/tensor.js'
import { normOf } from '../../store/index.js'
import type { Database } from '../tables/duckdb.js'
import { type Numbers, openVectors, type VectorSource, type VectorTable } from './sources.js'

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
  /** Where histories are searched by content. */
  search?: Search
}

/** An embedding table and how it is read. */
export interface ContentSource extends VectorTable {
  /** How vectors are held in memory. */
  type: ContentTable['type']
  /** What stored numbers are multiplied by; 1: what the table says. */
  scale: number
  /** Scale each vector to length 1? */
  normalize: boolean
}

/**
 * Reads the vectors of the items of `numbers`, a DuckDB table of `item_id` and dense `item`, `count` of them; rows
 * are in the order of dense numbers. Stored int8 stays as it is; else the largest number of all sets the scale.
 * @throws UserError of `openVectors`.
 */
export async function loadContent(
  db: Database,
  { type, scale: stated, normalize, ...table }: ContentSource,
  numbers: string,
  count: number,
): Promise<ContentTable> {
  const source = await openVectors(db, table, numbers, count)
  const { width, items } = source
  const rowOf = new Int32Array(count)
  for (const item of items) rowOf[item] = 1
  let rows = 1
  for (let item = 0; item < count; item++) if (rowOf[item]) rowOf[item] = rows++

  const scale = source.type === 'int8' && stated === 1 ? source.scale : stated
  const isAsStored = type === 'int8' && source.type === 'int8' && !normalize
  const scaled = (numbers: Numbers): Numbers => {
    if (normalize) return ofLengthOne(numbers, width)
    return isAsStored || scale === 1 ? numbers : Float32Array.from(numbers, (x) => x * scale)
  }
  const held = type === 'float32' ? 1 : isAsStored ? scale : await fittingScale(source, scaled)

  const vectors = new arrayOf[type](rows * width)
  for await (const piece of source.read()) {
    const numbers = scaled(piece.vectors)
    piece.items.forEach((item, i) => {
      const vector = numbers.subarray(i * width, (i + 1) * width)
      if (vectors instanceof Float32Array) vectors.set(vector, rowOf[item] * width)
      else quantize(vector, isAsStored ? 1 : held, vectors, rowOf[item] * width)
    })
  }
  source.close()
  return { width, vectors, type, scale: held, rows, rowOf }
}

function ofLengthOne(numbers: Numbers, width: number): Float32Array {
  const out = Float32Array.from(numbers)
  for (let at = 0; at < out.length; at += width) {
    const length = Math.max(normOf(out, at, width), 1e-12)
    for (let k = at; k < at + width; k++) out[k] /= length
  }
  return out
}

/** The scale at which the largest number of all vectors is 127. */
async function fittingScale(source: VectorSource, scaled: (numbers: Numbers) => Numbers): Promise<number> {
  let largest = 0
  for await (const { vectors } of source.read()) {
    for (const x of scaled(vectors)) largest = Math.max(largest, Math.abs(x))
  }
  return largest / 127 || 1
}

/** Writes numbers as int8 of a scale from place `at` of `into` on; the error is half the scale at most. */
export function quantize(numbers: Numbers, scale: number, into: Int8Array, at: number): void {
  for (let i = 0; i < numbers.length; i++) into[at + i] = Math.round(numbers[i] / scale)
}

/**
 * One table of several: the vectors of an item one after another, zeros for those that it lacks, so that similarities
 * are the means of those of the tables. int8 takes the largest scale.
 */
export function sideBySide(tables: readonly ContentTable[]): ContentTable {
  if (tables.length === 1) return tables[0]
  const { type } = tables[0]
  const width = tables.reduce((sum, table) => sum + table.width, 0)
  const rowOf = new Int32Array(tables[0].rowOf.length)
  let rows = 1
  for (let item = 0; item < rowOf.length; item++) if (tables.some((t) => t.rowOf[item] > 0)) rowOf[item] = rows++
  const scale = Math.max(...tables.map(({ scale }) => scale))
  const vectors = new arrayOf[type](rows * width)
  let start = 0
  for (const { vectors: from, width: part, rowOf: rowIn, scale: own } of tables) {
    for (const [item, row] of rowOf.entries()) {
      if (rowIn[item] === 0) continue
      const vector = from.subarray(rowIn[item] * part, (rowIn[item] + 1) * part)
      vectors.set(own === scale ? vector : vector.map((x) => Math.round((x * own) / scale)), row * width + start)
    }
    start += part
  }
  return { width, vectors, type, scale: scale / Math.sqrt(tables.length), rows, rowOf }
}

/** What a search reads beside vectors. */
export interface Search {
  /** By dense item number, see sketch.ts. */
  sketches: Int32Array
  /** What the sketches lie in, and the vectors where they fit; all threads share it. */
  memory: WebAssembly.Memory
}
