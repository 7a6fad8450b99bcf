/** Impressions as the numbers that a click model reads: the embedding table row of every feature. */
import { unknownRow } from '../../ops/tableRows.js'
import { type Column, ColumnStore, columnOf, type Stored } from '../tables/column.js'
import type { ContentTable } from '../vectors/contentTable.js'
import { whiten } from '../vectors/whitening.js'
import { type Encoders, encode, requireFit } from './encoders.js'
import type { BehaviorFeature, RowFeature } from './features.js'
import { type DatasetOptions, fit, nothing } from './fit.js'
import type { ClickNumbers } from './numbers.js'
import type { Clicks, Impressions } from './read.js'
import { type Split, splitOf, toScore } from './split.js'

export interface CtrDataset {
  impressions: Impressions
  split: Split
  impressionFeatures: Stored<RowFeature>[]
  itemFeatures: RowFeature[]
  behaviorFeatures: Stored<BehaviorFeature>[]
  /** Whether the time from behavior to impression is a feature. */
  gap: boolean
  content: ContentTable | undefined
  /** Training impressions of each item. */
  trainCount: Int32Array
  /** Rank correlation of ids with time, by feature; NaN if a feature has few values. */
  timeOrder: Record<string, number>
  /** Map values to embedding table rows; saved with the model. */
  encoders: Encoders
  numbers: ClickNumbers
  /** Stores the columns of impressions and behaviors. */
  store: ColumnStore
}

/** Splits by time and learns the encoders from the training impressions and the histories that they see. */
export function encodeClicks(clicks: Clicks, content: ContentTable | undefined, options: DatasetOptions): CtrDataset {
  const { impressions, items, numbers } = clicks
  const { user, encoders: saved, store = new ColumnStore() } = options
  const split = saved ? toScore(impressions) : splitOf(impressions, options.split)
  const trained = split.train.to
  if (saved) requireFit(saved, [...items, ...impressions.context], content?.width)
  const encoders = saved ?? fit(clicks, content, trained, options)

  const { vocabularies, whitening } = encoders
  const inMemory = new ColumnStore()
  const ofItems = items.map((column) => unstored(encode(column, encoders, inMemory)))
  const itemFeatures = [plain('item', vocabularies['item']), ...ofItems]
  const impressionFeatures = impressions.context.map((column) => encode(column, encoders, store))
  if (user) {
    const { rowOf, size } = vocabularies['user']
    impressionFeatures.unshift(plain('user', { rowOf: store.map(impressions.user, 'int32', (u) => rowOf[u]), size }))
  }
  const behaviorFeatures = impressions.behaviorFeatures.map(
    ({ name, table, codes, targetCodes }): Stored<BehaviorFeature> => {
      const { rowOf, size } = vocabularies[table]
      const rows = (of: Column<'int32'>) => store.map(of, 'int32', (code) => (code < 0 ? unknownRow : rowOf[code]))
      return { name, table, size, rowOf: rows(codes), target: targetCodes && rows(targetCodes) }
    },
  )
  // Columns that are encoded now, or that batches do not read, would only take memory.
  const spent = {
    context: [],
    behaviorFeatures: [],
    ...(options.gap ? {} : { time: columnOf(nothing), behaviorTime: columnOf(nothing) }),
  }
  return {
    impressions: { ...impressions, ...spent, weight: relative(impressions.weight, trained, store) },
    split,
    impressionFeatures,
    itemFeatures,
    behaviorFeatures,
    gap: options.gap ?? false,
    content: content && whitening ? whiten(content, whitening) : content,
    trainCount: encoders.trainCount,
    timeOrder: options.timeOrder ?? {},
    encoders,
    numbers,
    store,
  }
}

const unstored = ({ rowOf, weight, ...feature }: Stored<RowFeature>): RowFeature => ({
  ...feature,
  rowOf: rowOf.read(),
  weight: weight?.read(),
})

const plain = <C>(name: string, { rowOf, size }: { rowOf: C; size: number }) => ({
  name,
  table: name,
  size,
  values: 1,
  rowOf,
})

/** Weights scaled so that their mean over the first `rows` is 1. */
function relative(weight: Column<'float32'>, rows: number, store: ColumnStore): Column<'float32'> {
  const mean = weight.sum(0, Math.min(rows, weight.length)) / rows
  return mean > 0 ? store.map(weight, 'float32', (w) => w / mean) : weight
}
