/** Impressions as the numbers that a click model reads: the table row of every feature. */
import { unknownRow } from '../../ops/tableRows.js'
import { type Column, ColumnStore, type Stored, sum } from '../tables/column.js'
import type { ContentTable } from '../vectors/contentTable.js'
import { whiten } from '../vectors/whitening.js'
import { type Encoders, encode, type NumberTables } from './encoders.js'
import type { EventFeature, FeatureColumn, RowFeature } from './features.js'
import { type DatasetOptions, fit, nothing } from './fit.js'
import type { Impressions } from './impressions.js'
import { type Split, splitOf, toScore } from './split.js'

export interface CtrDataset {
  impressions: Impressions
  split: Split
  impressionFeatures: Stored<RowFeature>[]
  itemFeatures: RowFeature[]
  eventFeatures: Stored<EventFeature>[]
  /** Whether the time from behavior to impression is a feature. */
  gap: boolean
  content: ContentTable | undefined
  /** Training impressions of each item. */
  trainCount: Int32Array
  /** Rank correlation of ids with time, by feature; NaN where a feature has few values. */
  timeOrder: Record<string, number>
  /** What made rows of tables out of values, to be kept with the model, and where the values are. */
  encoders: Encoders
  tables: NumberTables
  /** What keeps the columns of impressions and behaviors. */
  store: ColumnStore
}

/**
 * Splits by time and builds vocabularies from the training impressions and the histories that they see.
 * `itemColumns` are side columns of items by dense item number.
 */
export function buildDataset(
  impressions: Impressions,
  itemColumns: readonly FeatureColumn[],
  content: ContentTable | undefined,
  options: DatasetOptions,
): CtrDataset {
  const { user, encoders: saved, store = new ColumnStore() } = options
  const { context, sides } = impressions
  const split = saved ? toScore(impressions) : splitOf(impressions, options.split)
  const trained = split.train.to
  const encoders = saved ?? fit(impressions, itemColumns, content, trained, options)

  const { vocabularies, whitening } = encoders
  const inMemory = new ColumnStore()
  const ofItems = itemColumns.map((column) => encode(column, encoders, inMemory) as RowFeature)
  const itemFeatures = [plain('item', vocabularies['item']), ...ofItems]
  const impressionFeatures = context.map((column) => encode(column, encoders, store))
  if (user) {
    const { rowOf, size } = vocabularies['user']
    impressionFeatures.unshift(plain('user', { rowOf: store.map(impressions.user, 'int32', (u) => rowOf[u]), size }))
  }
  const eventFeatures = sides.map(({ name, table, codes, targetCodes }): Stored<EventFeature> => {
    const { rowOf, size } = vocabularies[table]
    const rows = (of: Column<'int32'>) => store.map(of, 'int32', (code) => (code < 0 ? unknownRow : rowOf[code]))
    return { name, table, size, rowOf: rows(codes), target: targetCodes && rows(targetCodes) }
  })
  // What is encoded now, or of no use for batches, would only take room.
  const spent = { context: [], sides: [], ...(options.gap ? {} : { time: nothing, eventTime: nothing }) }
  return {
    impressions: { ...impressions, ...spent, weight: relative(impressions.weight, trained, store) },
    split,
    impressionFeatures,
    itemFeatures,
    eventFeatures,
    gap: options.gap ?? false,
    content: content && whitening ? whiten(content, whitening) : content,
    trainCount: encoders.trainCount,
    timeOrder: options.timeOrder ?? {},
    encoders,
    tables: options.tables,
    store,
  }
}

const plain = <C>(name: string, { rowOf, size }: { rowOf: C; size: number }) => ({
  name,
  table: name,
  size,
  values: 1,
  rowOf,
})

/** Weights scaled so that their mean over the first `rows` is 1. */
function relative(weight: Column<'float32'>, rows: number, store: ColumnStore): Column<'float32'> {
  const mean = sum(weight, 0, Math.min(rows, weight.length)) / rows
  return mean > 0 ? store.map(weight, 'float32', (w) => w / mean) : weight
}
