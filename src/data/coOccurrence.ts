/** What counting alone knows of the training part: how often items are chosen, and which ones together. */
import { chosen } from './choices.js'
import type { Database } from './duckdb.js'
import { anchorKinds, type Positives } from './positives.js'

export interface ChoiceCounts {
  /** Times that each item was chosen [items]. */
  popularity: Float64Array
  /** Times that each other item was chosen where the pair's anchor was (see `countChoices`), by item, for each pair. */
  together: ReadonlyMap<number, number>[]
}

/**
 * Counts for `pairs`, from the training part alone. Together with an item: the sessions in which both were chosen.
 * Together with a query: the requests of the same words or picture in which the item was chosen. Needs the tables of
 * `openLog` in `db`.
 */
export async function countChoices(
  db: Database,
  positives: Positives,
  pairs: Int32Array,
  items: number,
): Promise<ChoiceCounts> {
  const { kind, anchor, queryImages, queryTexts } = positives
  const popularity = new Float64Array(items)
  const counted = await db.columns(
    `SELECT item, count(*) AS n FROM takes WHERE part = 0 AND action IN ${chosen} GROUP BY item`,
    { item: 'int32', n: 'int32' },
  )
  for (const [i, item] of counted.item.entries()) popularity[item] = counted.n[i]

  const names = [queryImages, queryTexts]
  const byAnchor = anchorKinds.map(() => new Map<number, Map<number, number>>())
  for (const [k, name] of anchorKinds.entries()) {
    const asked = [...new Set(pairs.filter((i) => kind[i] === k).map((i) => anchor[i]))]
    if (asked.length === 0) continue
    await db.run('CREATE OR REPLACE TEMP TABLE asked (anchor INTEGER, value VARCHAR)')
    const rows = await db.appender('asked')
    for (const a of asked) {
      rows.appendInteger(a)
      if (name === 'product') rows.appendNull()
      else rows.appendVarchar(names[k][a])
      rows.endRow()
    }
    rows.closeSync()
    const found = await db.columns(name === 'product' ? withItems : withQueries(`query_${name}`), {
      anchor: 'int32',
      item: 'int32',
      n: 'int32',
    })
    for (let i = 0; i < found.rows; i++) {
      const others = byAnchor[k].get(found.anchor[i]) ?? new Map<number, number>()
      byAnchor[k].set(found.anchor[i], others.set(found.item[i], found.n[i]))
    }
  }
  const none = new Map<number, number>()
  return { popularity, together: Array.from(pairs, (i) => byAnchor[kind[i]].get(anchor[i]) ?? none) }
}

const inSessions = `(SELECT DISTINCT session, item FROM takes WHERE part = 0 AND action IN ${chosen})`
const withItems = `SELECT anchor, b.item, count(*) AS n
  FROM asked JOIN ${inSessions} a ON a.item = anchor JOIN ${inSessions} b USING (session)
  WHERE b.item <> anchor GROUP BY ALL`
const withQueries = (column: string) => `SELECT anchor, item, count(DISTINCT (usr, request)) AS n
  FROM asked JOIN takes ON ${column} = value WHERE part = 0 AND action IN ${chosen} GROUP BY ALL`
