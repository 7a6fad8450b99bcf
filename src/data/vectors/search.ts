/**
 * The search for the items whose vectors are nearest to that of another: by sketches, then by products of vectors, in
 * WebAssembly. Products of float32 are summed in float32, in an order that is the same everywhere: equal vectors tie.
 */
import { openModule } from '../../base/webAssembly.js'
import type { ContentTable, Search } from './contentTable.js'
import { searchModule } from './searchModule.js'
import { sketches } from './sketch.js'

type Vectors = Pick<ContentTable, 'vectors' | 'width' | 'rowOf'>
type Searchable = Vectors & { search: Search }

const page = 2 ** 16
/** Pages that WebAssembly can address, and of them those that threads may take for lists of their own. */
const [mostPages, listPages] = [2 ** 16, 2 ** 12]

/** The table with its vectors moved to a memory that is searched, unless they take more than `most` pages. */
export function withSearch<T extends Vectors>(table: T, most = mostPages - listPages): T & { search: Search } {
  const { vectors, width, rowOf } = table
  const found = sketches(vectors, width, rowOf)
  const pagesOf = (bytes: number) => Math.ceil(bytes / page)
  const behind = Math.ceil(vectors.byteLength / wide) * wide
  const fits = pagesOf(behind + found.byteLength) <= most
  const initial = pagesOf((fits ? behind : 0) + found.byteLength)
  const memory = new WebAssembly.Memory({ initial, maximum: initial + listPages, shared: true })
  const moved = <A extends Int32Array | Vectors['vectors']>(array: A, at: number): A => {
    const there = new (array.constructor as ArrayIn<A>)(memory.buffer, at, array.length)
    there.set(array)
    return there
  }
  return {
    ...table,
    vectors: fits ? moved(vectors, 0) : vectors,
    search: { sketches: moved(found, fits ? behind : 0), memory },
  }
}

type ArrayIn<A> = new (buffer: ArrayBuffer, at: number, length: number) => A

/** Bytes that the steps read or write at a time, behind the last number of a list too. */
const wide = 32

/** `search.wat`. */
interface Steps {
  agreements(sketches: number, items: number, count: number, target: number, keys: number): void
  productsOfFloats(...args: ProductArgs): void
  productsOfBytes(...args: ProductArgs): void
  highest(keys: number, count: number, k: number, places: number): void
}
type ProductArgs = [vectors: number, width: number, rows: number, count: number, target: number, keys: number]

/** Of many items so many times as are wanted are compared exactly: those whose sketches differ least. */
const pool = 4

/** Searches of one thread for the `count` nearest. */
export class Nearest {
  private static readonly known = new WeakMap<Vectors, Nearest>()
  private readonly steps: Steps
  /** How many are compared exactly at most. */
  private readonly most: number
  private lists: Lists

  /** Of a table without `search` they make a copy that has it. */
  static of(table: Vectors & { search?: Search }, count: number): Nearest {
    const known = Nearest.known.get(table)
    if (known?.count === count) return known
    const { search } = table
    const made = new Nearest(search ? { ...table, search } : withSearch(table), count)
    Nearest.known.set(table, made)
    return made
  }

  private constructor(
    private readonly table: Searchable,
    private readonly count: number,
  ) {
    const { memory } = table.search
    this.steps = openModule<Steps>(Buffer.from(searchModule, 'base64'), { env: { memory } })
    this.most = pool * count
    this.lists = listsIn(table, this.most, count)
  }

  /**
   * Places in `items`, more than `count`, of those whose product with `target` is highest, in order; of equal ones the
   * latest. The next search writes over the answer.
   */
  among(items: Int32Array, target: number): Int32Array {
    if (items.length > this.lists.items.length) this.lists = listsIn(this.table, 2 * items.length, this.count)
    const { steps, lists, count } = this
    const { rowOf, search } = this.table
    const [keys, pooled] = [lists.keys.byteOffset, Math.min(items.length, this.most)]
    if (pooled < items.length) {
      lists.items.set(items)
      steps.agreements(search.sketches.byteOffset, lists.items.byteOffset, items.length, target, keys)
      steps.highest(keys, items.length, pooled, lists.pooled.byteOffset)
    } else {
      for (let i = 0; i < pooled; i++) lists.pooled[i] = i
    }
    for (let i = 0; i < pooled; i++) lists.rows[i] = rowOf[items[lists.pooled[i]]]
    lists.rows[pooled] = rowOf[target]
    this.multiply(pooled)
    steps.highest(keys, pooled, count, lists.chosen.byteOffset)
    for (let i = 0; i < count; i++) lists.chosen[i] = lists.pooled[lists.chosen[i]]
    return lists.chosen
  }

  /** Keys of the first `count` of `rows`, of their products with the one after them. */
  private multiply(count: number): void {
    const { steps, table, lists } = this
    const { width } = table
    const { rows, vectors } = lists
    if (vectors !== table.vectors) {
      for (let i = 0; i <= count; i++) {
        vectors.set(table.vectors.subarray(rows[i] * width, (rows[i] + 1) * width), i * width)
        rows[i] = i
      }
    }
    const multiply = vectors instanceof Int8Array ? steps.productsOfBytes : steps.productsOfFloats
    multiply(vectors.byteOffset, width, rows.byteOffset, count, rows[count], lists.keys.byteOffset)
  }
}

/** What the steps read and write; `pooled` and `chosen` are places. */
interface Lists {
  items: Int32Array
  keys: Int32Array
  rows: Int32Array
  pooled: Int32Array
  chosen: Int32Array
  /** Those of the table, or room for the ones that are compared. */
  vectors: ContentTable['vectors']
}

/** Lists for as many items, in memory that no other thread has. */
function listsIn({ vectors, width, search: { memory, sketches } }: Searchable, items: number, count: number): Lists {
  const isThere = vectors.buffer === sketches.buffer
  const most = pool * count
  const sizes = { items, keys: items + wide / 4, rows: most + 1, pooled: most, chosen: count }
  const gathered = isThere ? 0 : (most + 1) * width
  const numbers = Object.values(sizes).reduce((sum, size) => sum + size, 0)
  let at = page * memory.grow(Math.ceil((4 * numbers + gathered * vectors.BYTES_PER_ELEMENT + wide) / page))
  const list = (size: number) => {
    const made = new Int32Array(memory.buffer, at, size)
    at += made.byteLength
    return made
  }
  return {
    items: list(sizes.items),
    keys: list(sizes.keys),
    rows: list(sizes.rows),
    pooled: list(sizes.pooled),
    chosen: list(sizes.chosen),
    vectors: isThere ? vectors : new (vectors.constructor as ArrayIn<typeof vectors>)(memory.buffer, at, gathered),
  }
}
