/** The general search unit: which behaviors of each impression a model gets to see, laid end to end. */

import type { CtrColumns } from '../../data/clicks/columns.js'
import { takeRows } from '../../data/tables/matrix.js'
import { Nearest } from '../../data/vectors/search.js'
import type { BehaviorSearch } from '../../models/ctr/index.js'

/** Behaviors of a batch, oldest first within an impression. */
export interface LaidOut {
  /** Place in the batch of the impression that a behavior belongs to [N]. */
  owner: Int32Array
  /** Numbers of the behaviorItem, and of their items [N]. */
  event: Int32Array
  history: Int32Array
}

/** The behaviors that the search leaves of the impressions `rows`; all of them where there is no search. */
export function searched(data: CtrColumns, rows: Int32Array, behaviorSearch: BehaviorSearch): LaidOut {
  const { behaviorItem, historyStart, historyEnd } = data.impressions
  const most = behaviorSearch.kind === 'none' ? Number.POSITIVE_INFINITY : behaviorSearch.topK
  let length = 0
  for (const row of rows) length += Math.min(most, historyEnd[row] - historyStart[row])
  const event = new Int32Array(length)
  const owner = new Int32Array(length)
  const select = selector(data, behaviorSearch)
  let at = 0
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]
    const count = select(event.subarray(at), historyStart[row], historyEnd[row], row)
    owner.fill(k, at, at + count)
    at += count
  }
  const kept = event.slice(0, at)
  return { owner: owner.slice(0, at), event: kept, history: takeRows(behaviorItem, 1, kept) }
}

/** Writes the behaviorItem of [from, to) that the impression calls for to the front of `into`, in order; returns how many. */
type Selector = (into: Int32Array, from: number, to: number, row: number) => number

function selector(data: CtrColumns, { kind, topK, feature }: BehaviorSearch): Selector {
  if (kind === 'hard') return alike(data, topK, feature)
  if (kind === 'soft') return nearest(data, topK)
  return all
}

const all: Selector = (into, from, to) => {
  for (let e = from; e < to; e++) into[e - from] = e
  return to - from
}

/** The latest of the target's own category, or whatever the feature is, of items or of behaviors. */
function alike({ impressions, itemFeatures, behaviorFeatures }: CtrColumns, topK: number, feature: string): Selector {
  const { behaviorItem, item } = impressions
  const ofItems = itemFeatures.find(({ name }) => name === feature)
  const latest = (into: Int32Array, from: number, to: number, isAlike: (event: number) => boolean) => {
    let count = 0
    for (let e = to - 1; e >= from && count < topK; e--) if (isAlike(e)) into[count++] = e
    into.subarray(0, count).reverse()
    return count
  }
  if (ofItems) {
    const { rowOf } = ofItems
    return (into, from, to, row) => {
      const wanted = rowOf[item[row]]
      return latest(into, from, to, (e) => rowOf[behaviorItem[e]] === wanted)
    }
  }
  const { rowOf, target } = behaviorFeatures.find(({ name }) => name === feature)!
  return (into, from, to, row) => latest(into, from, to, (e) => rowOf[e] === target![row])
}

/** The `topK` of the highest product with the target's vector; of equal ones the latest. A missing vector is zero. */
function nearest({ impressions: { behaviorItem, item }, content }: CtrColumns, topK: number): Selector {
  const { rowOf } = content!
  const search = Nearest.of(content!, topK)
  return (into, from, to, row) => {
    if (to - from <= topK) return all(into, from, to, row)
    // Nothing is nearer than another to what has no vector.
    if (rowOf[item[row]] === 0) return all(into, to - topK, to, row)
    const places = search.among(behaviorItem.subarray(from, to), item[row])
    for (let i = 0; i < topK; i++) into[i] = from + places[i]
    return topK
  }
}
