import { Growing } from '../../tables/growing.js'
import type { BehaviorLog } from '../log.js'
import { type ContentVectors, itemPairs, type PositiveSource } from './source.js'

/** Pairs of the training part only: the vectors under evaluation took part in choosing them. */
export const contentFiltered = {
  name: 'content-filtered',
  help: 'a chosen item and, as its query, the nearest by content of the lookBack items that the user chose before (training part only)',
  options: {
    lookBack: {
      default: 50,
      integer: true,
      help: 'Earlier choices of the user that content-filtered searches for the nearest item',
    },
  },
  needs: () => 'two choices of a user',
  pairs: async (log, { lookBack }, content) =>
    itemPairs(await nearestOfLast(log, lookBack, await content()), '1.0 / count(*) OVER (PARTITION BY usr)'),
} as const satisfies PositiveSource

/**
 * Makes a table of the choices of the training part (columns of `takes`) that have a query: `query_item`, the nearest
 * by content of the last `lookBack` choices of the user; of equally near ones the later. An item is never its own query.
 * Returns the table's name.
 */
async function nearestOfLast(log: BehaviorLog, lookBack: number, content: ContentVectors): Promise<string> {
  const { db } = log
  const [ordered, nearest, filtered] = ['choices_in_order', 'nearest', 'content_filtered'].map((name) => log.name(name))
  await db.run(`CREATE TEMP TABLE ${ordered} AS
    SELECT usr, item, ts, part, request, session, CAST(row_number() OVER w AS INTEGER) AS id,
      CAST(usr IS DISTINCT FROM lag(usr) OVER w AS UTINYINT) AS begins
    FROM (${log.choices('part = 0')}) WINDOW w AS (ORDER BY usr, ts, place)`)
  const queries = new Growing('int32')
  let past: number[] = []
  const inOrder = `SELECT item, begins FROM ${ordered} ORDER BY id`
  for await (const { item, begins, rows } of db.batches(inOrder, { item: 'int32', begins: 'uint8' })) {
    for (let i = 0; i < rows; i++) {
      if (begins[i]) past = []
      queries.add(nearestTo(content, item[i], past))
      past.push(item[i])
      if (past.length > lookBack) past.shift()
    }
  }
  await db.run(`CREATE TEMP TABLE ${nearest} (id INTEGER, query_item INTEGER)`)
  const all = queries.finish()
  const found = Array.from(all.keys()).filter((i) => all[i] >= 0)
  await db.insert(nearest, [found.map((i) => i + 1), found.map((i) => all[i])])
  await db.run(`CREATE TEMP TABLE ${filtered} AS
    SELECT c.* EXCLUDE (id, begins), query_item FROM ${ordered} c JOIN ${nearest} USING (id)`)
  for (const table of [ordered, nearest]) await db.run(`DROP TABLE ${table}`)
  return filtered
}

/** The item of `past` nearest to `target`; −1 if there is none other than itself. */
function nearestTo({ vectors, width }: ContentVectors, target: number, past: readonly number[]): number {
  let [best, highest] = [-1, Number.NEGATIVE_INFINITY]
  for (const item of past) {
    if (item === target) continue
    let cosine = 0
    for (let k = 0; k < width; k++) cosine += vectors[target * width + k] * vectors[item * width + k]
    if (cosine >= highest) [best, highest] = [item, cosine]
  }
  return best
}
