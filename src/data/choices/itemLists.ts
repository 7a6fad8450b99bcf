import type { Database } from '../tables/duckdb.js'
import { Growing } from '../tables/growing.js'

/** Lists of item numbers, one after another: list n is `items[offsets[n] … offsets[n + 1])`. */
export interface ItemLists {
  items: Int32Array
  offsets: Int32Array
}

/** Reads `count` lists from a query of the columns list (from 0) and item, sorted by both. */
export async function readLists(db: Database, query: string, count: number): Promise<ItemLists> {
  const offsets = new Int32Array(count + 1)
  const items = new Growing('int32')
  for await (const { list, item, rows } of db.batches(query, { list: 'int32', item: 'int32' })) {
    for (const n of list) offsets[n + 1]++
    items.push(item, 0, rows)
  }
  for (let n = 0; n < count; n++) offsets[n + 1] += offsets[n]
  return { items: items.finish(), offsets }
}

/** List `n`, as a view. */
export const listOf = ({ items, offsets }: ItemLists, n: number) => items.subarray(offsets[n], offsets[n + 1])
