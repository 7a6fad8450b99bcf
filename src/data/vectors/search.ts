/**
 * Finds the items with the nearest vectors to a target item: first by sketches, then by inner products, in WebAssembly.
 * Products of float32 are summed in float32 in a fixed order, so equal vectors have equal products on every machine.
 */
import { maxPages, openModule, pageBytes } from '../../base/webAssembly.js'
import type { ContentTable, Search } from './contentTable.js'
import { searchModule } from './searchModule.js'
import { sketches } from './sketch.js'

type Vectors = Pick<ContentTable, 'vectors' | 'width' | 'rowOf'>
type Searchable = Vectors & { search: Search }

/** Pages reserved for the lists of all threads. */
const listPages = 2 ** 12

/** Moves the vectors of a table to shared memory and adds sketches; vectors beyond `limit` pages stay where they are. */
export function withSearch<T extends Vectors>(table: T, limit = maxPages - listPages): T & { search: Search } {
  const { vectors, width, rowOf } = table
  const found = sketches(vectors, width, rowOf)
  const pagesOf = (bytes: number) => Math.ceil(bytes / pageBytes)
  const vectorBytes = Math.ceil(vectors.byteLength / blockBytes) * blockBytes
  const fits = pagesOf(vectorBytes + found.byteLength) <= limit
  const initial = pagesOf((fits ? vectorBytes : 0) + found.byteLength)
  const memory = new WebAssembly.Memory({ initial, maximum: initial + listPages, shared: true })
  const copied = <A extends Int32Array | Vectors['vectors']>(array: A, address: number): A => {
    const copy = new (array.constructor as ArrayIn<A>)(memory.buffer, address, array.length)
    copy.set(array)
    return copy
  }
  return {
    ...table,
    vectors: fits ? copied(vectors, 0) : vectors,
    search: { sketches: copied(found, fits ? vectorBytes : 0), memory },
  }
}

type ArrayIn<A> = new (buffer: ArrayBuffer, address: number, length: number) => A

/** Bytes that the functions read or write at a time, also beyond the last number of a list. */
const blockBytes = 32

/** The functions of `search.wat`; arrays are given by their addresses in bytes. */
interface SearchFunctions {
  agreements(sketches: number, items: number, count: number, target: number, keys: number): void
  productsOfFloats(...args: ProductArgs): void
  productsOfBytes(...args: ProductArgs): void
  highest(keys: number, count: number, k: number, positions: number): void
}
type ProductArgs = [vectors: number, width: number, rows: number, count: number, target: number, keys: number]

/** Of many items, those with the most similar sketches are compared exactly: so many times the number wanted. */
const poolFactor = 4

/** Searches for the `count` nearest items, in one thread. */
export class Nearest {
  private static readonly cache = new WeakMap<Vectors, Nearest>()
  private readonly functions: SearchFunctions
  /** Most items that are compared exactly. */
  private readonly poolSize: number
  private lists: Lists

  /** The searcher of a table, from a cache. A table without `search` is copied to memory first. */
  static of(table: Vectors & { search?: Search }, count: number): Nearest {
    const cached = Nearest.cache.get(table)
    if (cached?.count === count) return cached
    const { search } = table
    const nearest = new Nearest(search ? { ...table, search } : withSearch(table), count)
    Nearest.cache.set(table, nearest)
    return nearest
  }

  private constructor(
    private readonly table: Searchable,
    private readonly count: number,
  ) {
    const { memory } = table.search
    this.functions = openModule<SearchFunctions>(Buffer.from(searchModule, 'base64'), { env: { memory } })
    this.poolSize = poolFactor * count
    this.lists = listsIn(table, this.poolSize, count)
  }

  /**
   * Positions in `items` (more than `count` of them) of the `count` items with the largest product with `target`, in
   * ascending order; of equal ones the last. The next search overwrites the result.
   */
  among(items: Int32Array, target: number): Int32Array {
    if (items.length > this.lists.items.length) this.lists = listsIn(this.table, 2 * items.length, this.count)
    const { functions, lists, count } = this
    const { rowOf, search } = this.table
    const [keys, pooled] = [lists.keys.byteOffset, Math.min(items.length, this.poolSize)]
    if (pooled < items.length) {
      lists.items.set(items)
      functions.agreements(search.sketches.byteOffset, lists.items.byteOffset, items.length, target, keys)
      functions.highest(keys, items.length, pooled, lists.pooled.byteOffset)
    } else {
      for (let i = 0; i < pooled; i++) lists.pooled[i] = i
    }
    for (let i = 0; i < pooled; i++) lists.rows[i] = rowOf[items[lists.pooled[i]]]
    lists.rows[pooled] = rowOf[target]
    this.multiply(pooled)
    functions.highest(keys, pooled, count, lists.chosen.byteOffset)
    for (let i = 0; i < count; i++) lists.chosen[i] = lists.pooled[lists.chosen[i]]
    return lists.chosen
  }

  /** Computes keys of the products of the first `count` rows in the list with the row after them. */
  private multiply(count: number): void {
    const { functions, table, lists } = this
    const { width } = table
    const { rows, vectors } = lists
    if (vectors !== table.vectors) {
      for (let i = 0; i <= count; i++) {
        vectors.set(table.vectors.subarray(rows[i] * width, (rows[i] + 1) * width), i * width)
        rows[i] = i
      }
    }
    const multiply = vectors instanceof Int8Array ? functions.productsOfBytes : functions.productsOfFloats
    multiply(vectors.byteOffset, width, rows.byteOffset, count, rows[count], lists.keys.byteOffset)
  }
}

/** Arrays that the functions read and write; `pooled` and `chosen` hold positions. */
interface Lists {
  items: Int32Array
  keys: Int32Array
  rows: Int32Array
  pooled: Int32Array
  chosen: Int32Array
  /** The vectors of the table, or copies of those that are compared. */
  vectors: ContentTable['vectors']
}

/** Lists for `items` items, in memory that no other thread uses. */
function listsIn({ vectors, width, search: { memory, sketches } }: Searchable, items: number, count: number): Lists {
  const inMemory = vectors.buffer === sketches.buffer
  const poolSize = poolFactor * count
  const sizes = { items, keys: items + blockBytes / 4, rows: poolSize + 1, pooled: poolSize, chosen: count }
  const copied = inMemory ? 0 : (poolSize + 1) * width
  const numbers = Object.values(sizes).reduce((sum, size) => sum + size, 0)
  const bytes = 4 * numbers + copied * vectors.BYTES_PER_ELEMENT + blockBytes
  let address = pageBytes * memory.grow(Math.ceil(bytes / pageBytes))
  const list = (size: number) => {
    const made = new Int32Array(memory.buffer, address, size)
    address += made.byteLength
    return made
  }
  return {
    items: list(sizes.items),
    keys: list(sizes.keys),
    rows: list(sizes.rows),
    pooled: list(sizes.pooled),
    chosen: list(sizes.chosen),
    vectors: inMemory ? vectors : new (vectors.constructor as ArrayIn<typeof vectors>)(memory.buffer, address, copied),
  }
}
