/** Whether ids grow with time: one that does was given when the row was written. */
import { ascendingOrder } from '../../metrics/order.js'
import type { Column, RowRange } from '../tables/column.js'
import type { Database } from '../tables/duckdb.js'
import type { Clicks } from './read.js'

/** Impressions that are examined at most. */
const mostRows = 200_000

/** Rank correlation with time of items, of categories of the context and, if asked for, of users; by feature. */
export async function timeOrders(
  db: Database,
  { impressions, numbers }: Clicks,
  withUsers: boolean,
): Promise<Record<string, number>> {
  const { user, item, users, items, context } = impressions
  const orders: Record<string, number> = {
    ...(withUsers ? { user: orderInTime(user, users) } : {}),
    item: orderInTime(item, items),
  }
  for (const { name, table, reads, codes, values } of context) {
    if (reads !== 'vocabulary' || codes === undefined || values > 1) continue
    // Numbers of values follow the order of texts, in which 10 comes before 9.
    const { rank } = await db.columns(
      `SELECT row_number() OVER (ORDER BY try_cast(value AS DOUBLE), value) AS rank FROM ${numbers.byTable[table].name}
       ORDER BY number`,
      { rank: 'int32' },
    )
    orders[name] = orderInTime(codes, rank.length, (code) => (code < 0 ? -1 : rank[code]))
  }
  return orders
}

/**
 * Rank correlation (Spearman) between `rankOf(value)` and time; the column is in the order of time. NaN if there are
 * fewer than one distinct value per hundred rows: too few to show an order.
 */
function orderInTime(
  column: Column<'int32'>,
  distinct: number,
  rankOf: (value: number) => number = (value) => value,
): number {
  const rows = column.length
  if (distinct < Math.max(2, rows / 100)) return Number.NaN
  const all = column.pick(sampled({ from: 0, to: rows }))
  const ranks = ranksOf(Float64Array.from(all, rankOf))
  const middle = (all.length - 1) / 2
  let [product, squares, ranked] = [0, 0, 0]
  for (let i = 0; i < ranks.length; i++) {
    product += (ranks[i] - middle) * (i - middle)
    squares += (i - middle) ** 2
    ranked += (ranks[i] - middle) ** 2
  }
  return product / Math.sqrt(squares * ranked)
}

/** Ranks from 0; equal values share the mean of their ranks. */
function ranksOf(values: Float64Array): Float64Array {
  const order = ascendingOrder(values)
  const ranks = new Float64Array(values.length)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end]] === values[order[start]]) end++
    for (let i = start; i < end; i++) ranks[order[i]] = (start + end - 1) / 2
    start = end
  }
  return ranks
}

/** Rows at equal distances, at most `mostRows`. */
export function sampled({ from, to }: RowRange): Int32Array {
  const count = Math.min(mostRows, to - from)
  return Int32Array.from({ length: count }, (_, i) => from + Math.floor((i * (to - from)) / count))
}
