/** Pairs by content: of what a user chose of late, the item nearest to the one chosen next asks for it. */

import type { Database } from '../tables/duckdb.js'
import { Growing } from '../tables/growing.js'
import { chosen } from './log.js'

/** Content vectors of all items, [items, width] of unit norm. */
export interface ContentVectors {
  vectors: Float32Array
  width: number
}

/**
 * Leaves the table `content_filtered` in `db`: the choices of the training part (columns of pairs) that have a choice
 * before them, with `anchor_item`, the one of the last `lookBack` whose vector is nearest; among equals the later one.
 * The item itself does not ask for itself. Needs the tables of `openLog`.
 */
export async function nearestOfLast(db: Database, lookBack: number, content: ContentVectors): Promise<void> {
  await db.run(`CREATE OR REPLACE TEMP TABLE choices_in_order AS
    SELECT usr, item, ts, part, request, session, CAST(row_number() OVER w AS INTEGER) AS id,
      CAST(usr IS DISTINCT FROM lag(usr) OVER w AS UTINYINT) AS begins
    FROM (SELECT DISTINCT ON (usr, item, ts) * FROM takes WHERE part = 0 AND action IN ${chosen} ORDER BY place)
    WINDOW w AS (ORDER BY usr, ts, place)`)
  const anchors = new Growing('int32')
  let past: number[] = []
  const inOrder = 'SELECT item, begins FROM choices_in_order ORDER BY id'
  for await (const { item, begins, rows } of db.batches(inOrder, { item: 'int32', begins: 'uint8' })) {
    for (let i = 0; i < rows; i++) {
      if (begins[i]) past = []
      anchors.add(nearest(content, item[i], past))
      past.push(item[i])
      if (past.length > lookBack) past.shift()
    }
  }
  await db.run('CREATE OR REPLACE TEMP TABLE nearest_choices (id INTEGER, anchor_item INTEGER)')
  const rows = await db.appender('nearest_choices')
  for (let i = 0; i < anchors.length; i++) {
    if (anchors.at(i) < 0) continue
    rows.appendInteger(i + 1)
    rows.appendInteger(anchors.at(i))
    rows.endRow()
  }
  rows.closeSync()
  await db.run(`CREATE OR REPLACE TEMP TABLE content_filtered AS
    SELECT c.* EXCLUDE (id, begins), anchor_item FROM choices_in_order c JOIN nearest_choices USING (id)`)
  for (const table of ['choices_in_order', 'nearest_choices']) await db.run(`DROP TABLE ${table}`)
}

/** The item of `past` nearest to `target`, −1 if there is none but itself. */
function nearest({ vectors, width }: ContentVectors, target: number, past: readonly number[]): number {
  let [best, highest] = [-1, Number.NEGATIVE_INFINITY]
  for (const item of past) {
    if (item === target) continue
    let cosine = 0
    for (let k = 0; k < width; k++) cosine += vectors[target * width + k] * vectors[item * width + k]
    if (cosine >= highest) [best, highest] = [item, cosine]
  }
  return best
}
