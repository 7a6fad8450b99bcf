/** Pairs by content: of what a user chose of late, the item nearest to the one chosen next asks for it. */
import { chosen } from './choices.js'
import type { Database } from './duckdb.js'

/** Content vectors of all items, [items, width] of unit norm. */
export interface ContentVectors {
  vectors: Float32Array
  width: number
}

/**
 * Leaves the table `content_filtered` in `db`: the choices of the training part (columns of `takes`) that have a
 * choice before them, with `anchor_item`, the one of the last `lookBack` whose vector is nearest; among equals the
 * later one. The item itself does not ask for itself. Needs the tables of `openLog`.
 */
export async function nearestOfLast(db: Database, lookBack: number, content: ContentVectors): Promise<void> {
  const last = `OVER (PARTITION BY usr ORDER BY ts, place ROWS BETWEEN ${lookBack} PRECEDING AND 1 PRECEDING)`
  await db.run(`CREATE OR REPLACE TEMP TABLE choices_with_past AS
    SELECT *, CAST(row_number() OVER (ORDER BY usr, ts, place) AS INTEGER) AS id
    FROM (SELECT *, list(item) ${last} AS past
          FROM (SELECT DISTINCT ON (usr, item, ts) * FROM takes WHERE part = 0 AND action IN ${chosen} ORDER BY place))
    WHERE len(list_filter(past, lambda other: other <> item)) > 0`)
  await db.run('CREATE OR REPLACE TEMP TABLE nearest_choices (id INTEGER, anchor_item INTEGER)')
  const rows = await db.appender('nearest_choices')
  const kinds = { id: 'int32', item: 'int32', past: 'int32[]' } as const
  for await (const { id, item, past } of db.batches('SELECT id, item, past FROM choices_with_past', kinds)) {
    for (let i = 0; i < id.length; i++) {
      rows.appendInteger(id[i])
      rows.appendInteger(nearest(content, item[i], past.values.subarray(past.offsets[i], past.offsets[i + 1])))
      rows.endRow()
    }
  }
  rows.closeSync()
  await db.run(`CREATE OR REPLACE TEMP TABLE content_filtered AS
    SELECT c.* EXCLUDE (past, id), anchor_item FROM choices_with_past c JOIN nearest_choices USING (id)`)
  for (const table of ['choices_with_past', 'nearest_choices']) await db.run(`DROP TABLE ${table}`)
}

function nearest({ vectors, width }: ContentVectors, target: number, past: Int32Array): number {
  let [best, highest] = [-1, Number.NEGATIVE_INFINITY]
  for (const item of past) {
    if (item === target) continue
    let cosine = 0
    for (let k = 0; k < width; k++) cosine += vectors[target * width + k] * vectors[item * width + k]
    if (cosine >= highest) [best, highest] = [item, cosine]
  }
  return best
}
