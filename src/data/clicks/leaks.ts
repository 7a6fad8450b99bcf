/** Signs that a feature tells what could not be known when an impression was shown. */
import { auc } from '../../metrics/index.js'
import { ascendingOrder } from '../../metrics/order.js'
import { type Column, pick, type RowRange, stretch } from '../tables/column.js'
import { atRows } from './columns.js'
import type { CtrDataset } from './dataset.js'
import type { RowFeature } from './features.js'

export interface Leak {
  feature: string
  /** The evidence, as a sentence. */
  what: string
}

/** A feature that ranks clicks so well alone is no feature. */
const mostAuc = 0.99
/** An id whose order is so much that of time (Spearman) was given when the row was written. */
const mostOrder = 0.99
/** Share of clicks whose own item ends the history, and how many times that of the impressions not clicked. */
const [mostOwn, timesOthers] = [0.5, 5]
/** Impressions that are looked at. */
const looked = 200_000

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

/** What in a data set gives the label away; nothing where all is well. */
export function findLeaks(data: CtrDataset): Leak[] {
  return [...tellingFeatures(data), ...ownEvents(data), ...timedIds(data)]
}

/** Features whose click rate by value, learned in training, or whose number ranks later impressions nearly perfectly. */
function tellingFeatures(data: CtrDataset): Leak[] {
  const { split, impressionFeatures, itemFeatures } = data
  const train = atRows(data, sampled(split.train))
  const later = atRows(data, sampled({ from: split.valid.from, to: split.test.to }))
  const { label: labels, historyStart, historyEnd } = later.impressions
  const found = (feature: string, scores: Float32Array): Leak[] => {
    const reached = auc(labels, scores)
    const sure = Math.max(reached, 1 - reached)
    return sure > mostAuc ? [{ feature, what: `'${feature}' alone reaches an AUC of ${sure.toFixed(4)}` }] : []
  }
  /** A feature of some impressions, and where it has the value of each. */
  const ofRows = impressionFeatures.map((_, f) => ({ impressionFeatures: features }: typeof train) => ({
    feature: features[f],
    place: (row: number) => row,
  }))
  const ofTargets = itemFeatures.map((feature) => ({ impressions: { item } }: typeof train) => ({
    feature,
    place: (row: number) => item[row],
  }))
  return [
    ...[...ofRows, ...ofTargets].flatMap((of) => {
      const rates = clickRates(of(train), train.impressions.label)
      const { feature, place } = of(later)
      return found(
        feature.name,
        Float32Array.from(labels, (_, row) => scoreOf(feature, place(row), rates)),
      )
    }),
    ...found(
      'length of the history',
      Float32Array.from(historyEnd, (end, row) => end - historyStart[row]),
    ),
  ]
}

/** Click rate of each row of a feature's table, drawn towards the mean where there are few impressions. */
function clickRates(
  { feature, place }: { feature: RowFeature; place: (row: number) => number },
  label: Uint8Array,
): Float64Array {
  const { rowOf, values, size } = feature
  const [shown, clicked] = [new Float64Array(size), new Float64Array(size)]
  let clicks = 0
  for (let row = 0; row < label.length; row++) {
    clicks += label[row]
    for (let v = 0; v < values; v++) {
      const at = rowOf[place(row) * values + v]
      shown[at]++
      clicked[at] += label[row]
    }
  }
  const mean = clicks / label.length
  return shown.map((count, i) => (clicked[i] + mean) / (count + 1))
}

function scoreOf({ rowOf, values, weight }: RowFeature, at: number, rates: Float64Array): number {
  if (weight) return weight[at]
  let sum = 0
  for (let v = 0; v < values; v++) sum += rates[rowOf[at * values + v]]
  return sum
}

/** Histories that end with the very event that is to be predicted. */
function ownEvents(data: CtrDataset): Leak[] {
  const { impressions } = atRows(data, sampled({ from: 0, to: data.split.test.to }))
  const { item, label, events, historyStart, historyEnd } = impressions
  const ends = [0, 0]
  const rows = [0, 0]
  for (let row = 0; row < item.length; row++) {
    rows[label[row]]++
    const [start, end] = [historyStart[row], historyEnd[row]]
    if (end > start && stretch(events, end - 1, end)[0] === item[row]) ends[label[row]]++
  }
  const [others, own] = [ends[0] / rows[0], ends[1] / rows[1]]
  if (!(own > mostOwn && own > timesOthers * others)) return []
  const what = `the history ends with the target itself in ${percent(own)} of clicks, in ${percent(others)} of the others`
  return [{ feature: 'history', what }]
}

function timedIds({ timeOrder }: CtrDataset): Leak[] {
  return Object.entries(timeOrder).flatMap(([feature, order]) => {
    if (!(Math.abs(order) > mostOrder)) return []
    const what = `'${feature}' grows with time (rank correlation ${order.toFixed(4)}): it names rows, not what they are of`
    return [{ feature, what }]
  })
}

/**
 * Rank correlation (Spearman) of the values of a column in the order of time, or of what `rankOf` makes of them, with time.
 * Few values say nothing: NaN below one for every hundred rows.
 */
export function orderInTime(
  column: Column<'int32'>,
  distinct: number,
  rankOf: (value: number) => number = (value) => value,
): number {
  const rows = column.length
  if (distinct < Math.max(2, rows / 100)) return Number.NaN
  const all = pick(column, sampled({ from: 0, to: rows }))
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

/** Ranks from 0; equal values share the mean of theirs. */
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

/** Rows at equal distances, `looked` at most. */
function sampled({ from, to }: RowRange): Int32Array {
  const count = Math.min(looked, to - from)
  return Int32Array.from({ length: count }, (_, i) => from + Math.floor((i * (to - from)) / count))
}
