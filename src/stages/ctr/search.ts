/** The behavior search (general search unit of SIM, Pi et al. 2020): which behaviors of each impression a model reads. */

import type { CtrColumns } from '../../data/clicks/columns.js'
import { takeRows } from '../../data/tables/matrix.js'
import { Nearest } from '../../data/vectors/search.js'
import type { BehaviorSearch } from '../../models/ctr/index.js'

/** Behaviors of a batch, those of an impression together, oldest first. */
export interface FoundBehaviors {
  /** Position in the batch of the impression that a behavior belongs to [N]. */
  owner: Int32Array
  /** Index of the behavior [N]. */
  behavior: Int32Array
  /** Its item number [N]. */
  item: Int32Array
}

/** The behaviors that the search finds for the impressions `rows`; without a search all of them. */
export function searchBehaviors(data: CtrColumns, rows: Int32Array, behaviorSearch: BehaviorSearch): FoundBehaviors {
  const { behaviorItem, historyStart, historyEnd } = data.impressions
  const most = behaviorSearch.kind === 'none' ? Number.POSITIVE_INFINITY : behaviorSearch.topK
  let length = 0
  for (const row of rows) length += Math.min(most, historyEnd[row] - historyStart[row])
  const behavior = new Int32Array(length)
  const owner = new Int32Array(length)
  const select = selector(data, behaviorSearch)
  let at = 0
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]
    const count = select(behavior.subarray(at), historyStart[row], historyEnd[row], row)
    owner.fill(k, at, at + count)
    at += count
  }
  const found = behavior.slice(0, at)
  return { owner: owner.slice(0, at), behavior: found, item: takeRows(behaviorItem, 1, found) }
}

/** Writes the behaviors in [from, to) that are found for the impression `row` to `into`, in order; returns how many. */
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

/** Hard search: the latest behaviors with the same value of a feature as the target. */
function alike({ impressions, itemFeatures, behaviorFeatures }: CtrColumns, topK: number, feature: string): Selector {
  const { behaviorItem, item } = impressions
  const ofItems = itemFeatures.find(({ name }) => name === feature)
  const latest = (into: Int32Array, from: number, to: number, isAlike: (behavior: number) => boolean) => {
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

/** Soft search: the `topK` behaviors of the highest product with the target's vector; among equal ones the latest. */
function nearest({ impressions: { behaviorItem, item }, content }: CtrColumns, topK: number): Selector {
  const { rowOf } = content!
  const search = Nearest.of(content!, topK)
  return (into, from, to, row) => {
    if (to - from <= topK) return all(into, from, to, row)
    // A target without a vector has no nearest behaviors: the latest are kept.
    if (rowOf[item[row]] === 0) return all(into, to - topK, to, row)
    const positions = search.among(behaviorItem.subarray(from, to), item[row])
    for (let i = 0; i < topK; i++) into[i] = from + positions[i]
    return topK
  }
}
