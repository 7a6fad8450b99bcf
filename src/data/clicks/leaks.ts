/** Signs that a feature tells what could not be known when an impression was shown. */
import { auc } from '../../metrics/index.js'
import { stretch } from '../tables/column.js'
import { atRows } from './columns.js'
import type { CtrDataset } from './dataset.js'
import type { RowFeature } from './features.js'
import { sampled } from './timeOrder.js'

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
  const { item, label, behaviorItem, historyStart, historyEnd } = impressions
  const ends = [0, 0]
  const rows = [0, 0]
  for (let row = 0; row < item.length; row++) {
    rows[label[row]]++
    const [start, end] = [historyStart[row], historyEnd[row]]
    if (end > start && stretch(behaviorItem, end - 1, end)[0] === item[row]) ends[label[row]]++
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
