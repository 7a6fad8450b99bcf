/** The general search unit: which behaviours of each impression a model gets to see, laid end to end. */
import type { CtrColumns } from '../data/ctrColumns.js'
import { differing } from '../data/sketch.js'
import type { Gsu } from '../models/ctr/index.js'

/** Behaviours of a batch, oldest first within an impression. */
export interface LaidOut {
  /** Place in the batch of the impression that a behaviour belongs to [N]. */
  owner: Int32Array
  /** Numbers of the events, and of their items [N]. */
  event: Int32Array
  history: Int32Array
}

/** The behaviours that the search leaves of the impressions `rows`; all of them where there is no search. */
export function searched(data: CtrColumns, rows: Int32Array, gsu: Gsu): LaidOut {
  const { events, historyStart, historyEnd } = data.impressions
  const most = gsu.kind === 'none' ? Number.POSITIVE_INFINITY : gsu.topK
  let length = 0
  for (const row of rows) length += Math.min(most, historyEnd[row] - historyStart[row])
  const event = new Int32Array(length)
  const owner = new Int32Array(length)
  const select = selector(data, gsu)
  let at = 0
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]
    const count = select(event.subarray(at), historyStart[row], historyEnd[row], row)
    owner.fill(k, at, at + count)
    at += count
  }
  const kept = event.slice(0, at)
  return { owner: owner.slice(0, at), event: kept, history: kept.map((e) => events[e]) }
}

/** Writes the events of [from, to) that the impression calls for to the front of `into`, in order; returns how many. */
type Selector = (into: Int32Array, from: number, to: number, row: number) => number

function selector(data: CtrColumns, { kind, topK, feature }: Gsu): Selector {
  if (kind === 'hard') return alike(data, topK, feature)
  if (kind === 'soft') return nearest(data, topK)
  return all
}

const all: Selector = (into, from, to) => {
  for (let e = from; e < to; e++) into[e - from] = e
  return to - from
}

/** The latest of the target's own category, or whatever the feature is, of items or of behaviours. */
function alike({ impressions, itemFeatures, eventFeatures }: CtrColumns, topK: number, feature: string): Selector {
  const { events, item } = impressions
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
      return latest(into, from, to, (e) => rowOf[events[e]] === wanted)
    }
  }
  const { rowOf, target } = eventFeatures.find(({ name }) => name === feature)!
  return (into, from, to, row) => latest(into, from, to, (e) => rowOf[e] === target![row])
}

/** Of a long history so many times `topK` are compared exactly: those whose sketches differ least. */
const pool = 4

/** The `topK` of the highest product with the target's vector; of equal ones the latest. A missing vector is zero. */
function nearest({ impressions, content }: CtrColumns, topK: number): Selector {
  const { events, item } = impressions
  const { vectors, width, rowOf, sketches } = content!
  const most = sketches ? pool * topK : Number.POSITIVE_INFINITY
  return (into, from, to, row) => {
    const target = item[row]
    if (to - from <= topK) return all(into, from, to, row)
    // Nothing is nearer than another to what has no vector.
    if (rowOf[target] === 0) return all(into, to - topK, to, row)
    const candidates = new Int32Array(Math.min(most, to - from))
    if (to - from > most) alikeSketches(candidates, from, to, target)
    else all(candidates, from, to, row)
    return best(into, candidates, target)
  }

  /** Fills `found` with the events whose sketches differ least from that of the target, oldest first. */
  function alikeSketches(found: Int32Array, from: number, to: number, target: number): void {
    const differences = differencesOf(to - from)
    histogram.fill(0)
    for (let i = 0; i < to - from; i++) {
      const d = differing(sketches!, events[from + i], target)
      differences[i] = d
      histogram[d]++
    }
    let [least, room] = [0, found.length]
    while (histogram[least] <= room) room -= histogram[least++]
    let at = found.length
    for (let i = to - from - 1; i >= 0 && at > 0; i--) {
      const d = differences[i]
      if (d < least || (d === least && room-- > 0)) found[--at] = from + i
    }
  }

  function best(into: Int32Array, among: Int32Array, target: number): number {
    const count = among.length
    const scores = new Float32Array(count)
    const t = rowOf[target] * width
    const wanted = Float32Array.from(vectors.subarray(t, t + width))
    for (let i = 0; i < count; i++) scores[i] = product(vectors, rowOf[events[among[i]]] * width, wanted)
    const rising = scores.slice().sort()
    const least = rising[count - topK]
    // Of those that equal the least, the latest fill what the higher ones leave.
    let room = topK
    for (let i = count - topK; i < count; i++) if (rising[i] > least) room--
    let at = topK
    for (let i = count - 1; i >= 0 && at > 0; i--) {
      if (scores[i] > least || (scores[i] === least && room-- > 0)) into[--at] = among[i]
    }
    return topK
  }
}

const histogram = new Int32Array(129)
let room = new Uint8Array(1024)

/** Memory for as many differences. */
function differencesOf(count: number): Uint8Array {
  if (room.length < count) room = new Uint8Array(2 * count)
  return room
}

function product(vectors: Float32Array | Int8Array, at: number, wanted: Float32Array): number {
  let [a, b, i] = [0, 0, 0]
  for (; i + 1 < wanted.length; i += 2) {
    a += vectors[at + i] * wanted[i]
    b += vectors[at + i + 1] * wanted[i + 1]
  }
  return i < wanted.length ? a + b + vectors[at + i] * wanted[i] : a + b
}
