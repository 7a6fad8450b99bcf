/** Counts of the training part: how often items were chosen, and which ones were chosen together. */
import { type ItemLists, listOf } from './itemLists.js'
import type { BehaviorLog } from './log.js'
import type { Positives } from './positives.js'
import { type QueryKind, queryKinds } from './sources/source.js'

export interface ChoiceCounts {
  /** Times that each item was chosen [items]. */
  popularity: Float64Array
  /** Times that each item was chosen with a query (see `countChoices`) [items]; the next call overwrites it. */
  together: (kind: QueryKind, query: number) => Int32Array
}

/**
 * Counts for the queries of `pairs`, from the training part alone. With a product: the sessions in which both items
 * were chosen. With a text or picture: the requests with that query in which the item was chosen. `log` is the one that
 * `positives` were built from.
 *
 * Stores the choices by query and session, and counts when asked for a query. The number of pairs of items that occur
 * together grows with the square of the length of sessions.
 */
export async function countChoices(
  log: BehaviorLog,
  positives: Positives,
  pairs: Int32Array,
  items: number,
): Promise<ChoiceCounts> {
  const { kind, query, inSession, queryImages, queryTexts } = positives
  const popularity = await log.readPopularity(items)
  const queriesOf = (name: QueryKind) => {
    const k = queryKinds.indexOf(name)
    return [...new Set(pairs.filter((i) => kind[i] === k).map((i) => query[i]))]
  }
  const byQuery = {
    image: await log.readChosenWith('query_image', queriesOf('image'), queryImages.length),
    text: await log.readChosenWith('query_text', queriesOf('text'), queryTexts.length),
  }
  const sessionsOf = listsWith(inSession, items)
  const counts = new Int32Array(items)
  const together = (name: QueryKind, number: number) => {
    counts.fill(0)
    if (name !== 'product') {
      for (const item of listOf(byQuery[name], number)) counts[item]++
      return counts
    }
    for (const session of listOf(sessionsOf, number)) for (const item of listOf(inSession, session)) counts[item]++
    counts[number] = 0
    return counts
  }
  return { popularity, together }
}

/** For each of `count` items the numbers of the lists that contain it. A list contains an item at most once. */
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
