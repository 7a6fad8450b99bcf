/** What counting alone knows of the training part: how often items are chosen, and which ones together. */
import type { Database } from '../tables/duckdb.js'
import { type ItemLists, listOf, readLists } from './itemLists.js'
import { chosen } from './log.js'
import { type AnchorKind, anchorKinds, type Positives } from './positives.js'

export interface ChoiceCounts {
  /** Times that each item was chosen [items]. */
  popularity: Float64Array
  /** Times that each other item was chosen where an anchor was (see `countChoices`) [items]; the next call overwrites it. */
  together: (kind: AnchorKind, anchor: number) => Int32Array
}

/**
 * Counts for the anchors of `pairs`, from the training part alone. Together with an item: the sessions in which both
 * were chosen. Together with a query: the requests of the same words or picture in which the item was chosen. Needs the
 * tables of `buildPositives` in `db`.
 *
 * What is held is choices, and an anchor's counts are made of them when they are asked for: the items that come
 * together are as many as the squares of the sessions.
 */
export async function countChoices(
  db: Database,
  positives: Positives,
  pairs: Int32Array,
  items: number,
): Promise<ChoiceCounts> {
  const { kind, anchor, inSession, queryImages, queryTexts } = positives
  const popularity = new Float64Array(items)
  const counted = await db.columns(
    `SELECT item, count(*) AS n FROM takes WHERE part = 0 AND action IN ${chosen} GROUP BY item`,
    { item: 'int32', n: 'int32' },
  )
  for (const [i, item] of counted.item.entries()) popularity[item] = counted.n[i]

  const asked = (name: AnchorKind) => {
    const k = anchorKinds.indexOf(name)
    return [...new Set(pairs.filter((i) => kind[i] === k).map((i) => anchor[i]))]
  }
  const byQuery = {
    image: await readChosen(db, 'query_image', asked('image'), queryImages.length),
    text: await readChosen(db, 'query_text', asked('text'), queryTexts.length),
  }
  const sessionsOf = listsWith(inSession, items)
  const counts = new Int32Array(items)
  const together = (name: AnchorKind, of: number) => {
    counts.fill(0)
    if (name !== 'product') {
      for (const item of listOf(byQuery[name], of)) counts[item]++
      return counts
    }
    for (const session of listOf(sessionsOf, of)) for (const item of listOf(inSession, session)) counts[item]++
    counts[of] = 0
    return counts
  }
  return { popularity, together }
}

/** The items chosen with each of the queries `asked`, once for each request; lists are numbered as queries are. */
async function readChosen(db: Database, column: string, asked: number[], queries: number): Promise<ItemLists> {
  if (asked.length === 0) return { items: new Int32Array(), offsets: new Int32Array(queries + 1) }
  const query = `SELECT DISTINCT number AS list, item, usr, request FROM takes JOIN ${column}_numbers ON ${column} = value
    WHERE part = 0 AND action IN ${chosen} AND number IN (${asked.join(', ')})`
  return readLists(db, `SELECT list, item FROM (${query}) ORDER BY ALL`, queries)
}

/** The numbers of the lists that each item is in, an item once at most. */
function listsWith({ items, offsets }: ItemLists, count: number): ItemLists {
  const starts = new Int32Array(count + 1)
  for (const item of items) starts[item + 1]++
  for (let item = 0; item < count; item++) starts[item + 1] += starts[item]
  const next = starts.slice()
  const lists = new Int32Array(items.length)
  for (let list = 0; list + 1 < offsets.length; list++)
    for (let i = offsets[list]; i < offsets[list + 1]; i++) lists[next[items[i]]++] = list
  return { items: lists, offsets: starts }
}
