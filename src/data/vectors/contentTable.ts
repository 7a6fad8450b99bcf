import { requireMemory } from '../../base/capacity.js'
import { arrayOf } from '../../ops/tensor.js'
import { normOf } from '../../store/index.js'
import { DataFacts } from '../facts.js'
import type { Database } from '../tables/duckdb.js'
import { VectorFacts } from './facts.js'
import { type Numbers, openVectors, type VectorSource, type VectorTable } from './sources.js'

/** Frozen content vectors of items. */
export interface ContentTable {
  width: number
  /** [rows, width]; times `scale` they are the vectors. Row 0 is zero and means "no vector". */
  vectors: Float32Array | Int8Array
  type: 'float32' | 'int8'
  scale: number
  rows: number
  /** Row by item number; 0 for items without a vector. */
  rowOf: Int32Array
  /** Present if histories are searched by content. */
  search?: Search
}

const fewer = 'use data.contentType int8, vectors of fewer dimensions (mim embed --dim), or a machine with more memory'

/** An embedding table and how to read it. */
export interface ContentSource extends VectorTable {
  /** Type of the vectors in memory. */
  type: ContentTable['type']
  /** Stored numbers times `scale` are the vectors; 1: the scale that the table states. */
  scale: number
  /** Whether to scale each vector to unit norm. */
  normalize: boolean
}

/**
 * Reads the vectors of the items of `numbers`, a DuckDB table of `item_id` and item number `item` with `count` rows.
 * Rows are in the order of item numbers. For int8, stored int8 is kept; otherwise the largest absolute number becomes 127.
 * What they are goes to `facts`, with warnings of vectors that are zero, all the same or not of unit norm.
 * @throws UserError of `openVectors`.
 */
export async function loadContent(
  db: Database,
  { type, scale: stated, normalize, ...table }: ContentSource,
  numbers: string,
  count: number,
  facts = new DataFacts(),
): Promise<ContentTable> {
  using source = await openVectors(db, table, numbers, count)
  const { width, items } = source
  const rowOf = new Int32Array(count)
  for (const item of items) rowOf[item] = 1
  let rows = 1
  for (let item = 0; item < count; item++) if (rowOf[item]) rowOf[item] = rows++

  const scale = source.type === 'int8' && stated === 1 ? source.scale : stated
  const isAsStored = type === 'int8' && source.type === 'int8' && !normalize
  const scaled = (numbers: Numbers): Numbers => {
    if (normalize) return unitVectors(numbers, width)
    return isAsStored || scale === 1 ? numbers : Float32Array.from(numbers, (x) => x * scale)
  }
  const tableScale = type === 'float32' ? 1 : isAsStored ? scale : await fittingScale(source, scaled)

  requireMemory(rows * width * arrayOf[type].BYTES_PER_ELEMENT, `the vectors of ${rows - 1} items`, fewer)
  const vectors = new arrayOf[type](rows * width)
  const found = new VectorFacts(normalize)
  for await (const piece of source.read()) {
    const numbers = scaled(piece.vectors)
    piece.items.forEach((item, i) => {
      const vector = numbers.subarray(i * width, (i + 1) * width)
      found.add(vector, isAsStored ? scale : 1)
      if (vectors instanceof Float32Array) vectors.set(vector, rowOf[item] * width)
      else quantize(vector, isAsStored ? 1 : tableScale, vectors, rowOf[item] * width)
    })
  }
  found.report(table, source, facts)
  return { width, vectors, type, scale: tableScale, rows, rowOf }
}

function unitVectors(numbers: Numbers, width: number): Float32Array {
  const out = Float32Array.from(numbers)
  for (let from = 0; from < out.length; from += width) {
    const norm = Math.max(normOf(out, from, width), 1e-12)
    for (let k = from; k < from + width; k++) out[k] /= norm
  }
  return out
}

/** The scale at which the largest absolute number of all vectors is 127. */
async function fittingScale(source: VectorSource, scaled: (numbers: Numbers) => Numbers): Promise<number> {
  let largest = 0
  for await (const { vectors } of source.read()) {
    for (const x of scaled(vectors)) largest = Math.max(largest, Math.abs(x))
  }
  return largest / 127 || 1
}

/** Writes numbers as int8 with `scale` to `into`, starting at index `from`; the error is at most half the scale. */
export function quantize(numbers: Numbers, scale: number, into: Int8Array, from: number): void {
  for (let i = 0; i < numbers.length; i++) into[from + i] = Math.round(numbers[i] / scale)
}

/**
 * Concatenates the vectors of several tables, zeros for missing ones, so that similarities are the means of the
 * tables' similarities. int8 takes the largest scale.
 */
export function sideBySide(tables: readonly ContentTable[]): ContentTable {
  if (tables.length === 1) return tables[0]
  const { type } = tables[0]
  const width = tables.reduce((sum, table) => sum + table.width, 0)
  const rowOf = new Int32Array(tables[0].rowOf.length)
  let rows = 1
  for (let item = 0; item < rowOf.length; item++) if (tables.some((t) => t.rowOf[item] > 0)) rowOf[item] = rows++
  const scale = Math.max(...tables.map(({ scale }) => scale))
  requireMemory(rows * width * arrayOf[type].BYTES_PER_ELEMENT, `the vectors of ${rows - 1} items`, fewer)
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

/** What a search reads in addition to the vectors. */
export interface Search {
  /** By item number, see sketch.ts. */
  sketches: Int32Array
  /** Memory of the sketches and, if they fit, of the vectors; all threads share it. */
  memory: WebAssembly.Memory
}
