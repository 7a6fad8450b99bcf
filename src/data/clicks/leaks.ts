/** Signs that a feature reveals what could not be known when an impression was shown. */
import { auc } from '../../metrics/index.js'
import type { RowRange } from '../tables/column.js'
import { takeRows } from '../tables/matrix.js'
import type { CtrDataset } from './dataset.js'
import type { RowFeature } from './features.js'
import { sampled } from './timeOrder.js'

export interface Leak {
  feature: string
  /** The evidence, as a sentence. */
  what: string
}

/** AUC of one feature alone from which it counts as a leak. */
const mostAuc = 0.99
/** Rank correlation (Spearman) of an id with time from which the id counts as one of the row. */
const mostOrder = 0.99
/** Share of clicks with their own item at the end of the history, and its ratio to the share among the others. */
const [mostOwn, timesOthers] = [0.5, 5]

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

/** What in a data set reveals the label; empty if nothing does. */
export function findLeaks(data: CtrDataset): Leak[] {
  return [...revealingFeatures(data), ...ownBehaviors(data), ...timedIds(data)]
}

/** Features with a click rate by value, learned in training, or a number that ranks later impressions nearly perfectly. */
function revealingFeatures(data: CtrDataset): Leak[] {
  const { split } = data
  const train = sampleOf(data, split.train)
  const later = sampleOf(data, { from: split.valid.from, to: split.test.to })
  const found = (feature: string, scores: Float32Array): Leak[] => {
    const reached = auc(later.labels, scores)
    const sure = Math.max(reached, 1 - reached)
    return sure > mostAuc ? [{ feature, what: `'${feature}' alone reaches an AUC of ${sure.toFixed(4)}` }] : []
  }
  const features = later.features.flatMap((feature, f) => {
    const rates = clickRates(train.features[f], train.labels)
    return found(
      feature.name,
      Float32Array.from(later.labels, (_, row) => scoreOf(feature, row, rates)),
    )
  })
  return [...features, ...found('length of the history', later.historyLengths)]
}

/** A sample of a range of impressions, with the features of impressions and targets by row of the sample. */
function sampleOf({ impressions, impressionFeatures, itemFeatures }: CtrDataset, range: RowRange) {
  const rows = sampled(range)
  const items = impressions.item.pick(rows)
  const starts = impressions.historyStart.pick(rows)
  return {
    labels: impressions.label.pick(rows),
    historyLengths: Float32Array.from(impressions.historyEnd.pick(rows), (end, row) => end - starts[row]),
    features: [
      ...impressionFeatures.map(({ rowOf, weight, ...feature }): RowFeature => {
        return { ...feature, rowOf: rowOf.pick(rows, feature.values), weight: weight?.pick(rows) }
      }),
      ...itemFeatures.map(({ rowOf, weight, ...feature }): RowFeature => {
        const ofTargets = takeRows(rowOf, feature.values, items)
        return { ...feature, rowOf: ofTargets, weight: weight && takeRows(weight, 1, items) }
      }),
    ],
  }
}

/** Click rate of each row of a feature's table, pulled towards the mean for rows with few impressions. */
function clickRates({ rowOf, values, size }: RowFeature, labels: Uint8Array): Float64Array {
  const [shown, clicked] = [new Float64Array(size), new Float64Array(size)]
  let clicks = 0
  for (let row = 0; row < labels.length; row++) {
    clicks += labels[row]
    for (let v = 0; v < values; v++) {
      const tableRow = rowOf[row * values + v]
      shown[tableRow]++
      clicked[tableRow] += labels[row]
    }
  }
  const mean = clicks / labels.length
  return shown.map((count, i) => (clicked[i] + mean) / (count + 1))
}

function scoreOf({ rowOf, values, weight }: RowFeature, row: number, rates: Float64Array): number {
  if (weight) return weight[row]
  let sum = 0
  for (let v = 0; v < values; v++) sum += rates[rowOf[row * values + v]]
  return sum
}

/** Histories that end with the very click that is to be predicted. */
function ownBehaviors({ impressions, split }: CtrDataset): Leak[] {
  const rows = sampled({ from: 0, to: split.test.to })
  const [items, starts, ends] = [impressions.item, impressions.historyStart, impressions.historyEnd].map((column) =>
    column.pick(rows),
  )
  const labels = impressions.label.pick(rows)
  /** Impressions, and those of them with a history that ends with the target, by label. */
  const [count, own] = [
    [0, 0],
    [0, 0],
  ]
  for (let row = 0; row < rows.length; row++) {
    const end = ends[row]
    count[labels[row]]++
    if (end > starts[row] && impressions.behaviorItem.read(end - 1, end)[0] === items[row]) own[labels[row]]++
  }
  const [ofOthers, ofClicks] = [own[0] / count[0], own[1] / count[1]]
  if (!(ofClicks > mostOwn && ofClicks > timesOthers * ofOthers)) return []
  const what = `the history ends with the target itself in ${percent(ofClicks)} of clicks, in ${percent(ofOthers)} of the others`
  return [{ feature: 'history', what }]
}

function timedIds({ timeOrder }: CtrDataset): Leak[] {
  return Object.entries(timeOrder).flatMap(([feature, order]) => {
    if (!(Math.abs(order) > mostOrder)) return []
    const what = `'${feature}' grows with time (rank correlation ${order.toFixed(4)}): it numbers rows instead of describing them`
    return [{ feature, what }]
  })
}
