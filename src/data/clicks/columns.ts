/** What batches of a click model are made of: columns of impressions and behaviors, in memory or in files. */
import { isFile, pick, readInto, type Stored } from '../tables/column.js'
import type { ContentTable } from '../vectors/contentTable.js'
import type { CtrDataset } from './dataset.js'
import type { BehaviorFeature, RowFeature } from './features.js'

/** Columns that differ from impression to impression, or from behavior to behavior. */
interface Varying {
  /** `time` and `behaviorTime` are there where the gap between them is a feature. */
  impressions: {
    item: Int32Array
    label: Uint8Array
    weight: Float32Array
    time: Float64Array
    historyStart: Int32Array
    historyEnd: Int32Array
    behaviorItem: Int32Array
    behaviorTime: Float64Array
  }
  impressionFeatures: RowFeature[]
  behaviorFeatures: BehaviorFeature[]
}

type Fixed = Pick<CtrDataset, 'itemFeatures' | 'gap' | 'trainCount'> & {
  content: Pick<ContentTable, 'rowOf' | 'vectors' | 'width' | 'search'> | undefined
}

/** In memory. */
export type CtrColumns = Fixed & Varying
/** In memory or in files. */
export type StoredCtrColumns = Fixed & Stored<Varying>

/** The columns of a data set without what batches do not need, for other threads. */
export function ctrColumns(data: CtrDataset): StoredCtrColumns {
  const { impressions, impressionFeatures, itemFeatures, behaviorFeatures, gap, trainCount, content } = data
  const { item, label, weight, time, historyStart, historyEnd, behaviorItem, behaviorTime } = impressions
  return {
    impressions: { item, label, weight, time, historyStart, historyEnd, behaviorItem, behaviorTime },
    impressionFeatures,
    itemFeatures,
    behaviorFeatures,
    gap,
    trainCount,
    content: content && {
      rowOf: content.rowOf,
      vectors: content.vectors,
      width: content.width,
      search: content.search,
    },
  }
}

/** The impressions `rows` alone, in memory; of their behaviors only where they stand. */
export function atRows(columns: StoredCtrColumns, rows: Int32Array) {
  const { item, label, weight, time, historyStart, historyEnd, behaviorItem, behaviorTime } = columns.impressions
  return {
    ...columns,
    impressions: {
      item: pick(item, rows),
      label: pick(label, rows),
      weight: weight.length > 0 ? pick(weight, rows) : new Float32Array(0),
      time: time.length > 0 ? pick(time, rows) : new Float64Array(0),
      historyStart: pick(historyStart, rows),
      historyEnd: pick(historyEnd, rows),
      behaviorItem,
      behaviorTime,
    },
    impressionFeatures: columns.impressionFeatures.map(
      (feature): RowFeature => ({
        ...feature,
        rowOf: pick(feature.rowOf, rows, feature.values),
        weight: feature.weight && pick(feature.weight, rows),
      }),
    ),
    behaviorFeatures: columns.behaviorFeatures.map(({ target, ...feature }) => ({
      ...feature,
      target: target && pick(target, rows),
    })),
  }
}

/** Columns in memory that have the impressions `rows` and their histories, and the places of `rows` in them. */
export function inMemory(columns: StoredCtrColumns, rows: Int32Array): { columns: CtrColumns; rows: Int32Array } {
  if (!isFile(columns.impressions.behaviorItem)) return { columns: columns as CtrColumns, rows }
  const alone = atRows(columns, rows)
  const { historyStart: starts, historyEnd: ends, behaviorItem, behaviorTime } = alone.impressions
  const historyEnd = new Int32Array(rows.length)
  let length = 0
  for (let i = 0; i < rows.length; i++) historyEnd[i] = length += ends[i] - starts[i]
  const historyStart = historyEnd.map((end, i) => end - (ends[i] - starts[i]))
  /** The histories of a column by event, end to end. */
  const laid = <T extends Int32Array | Float64Array>(column: Stored<T>, into: T): T => {
    if (isFile(column)) {
      for (let i = 0; i < rows.length; i++) readInto(column, starts[i], into.subarray(historyStart[i], historyEnd[i]))
    }
    return into
  }
  const impressions = {
    ...alone.impressions,
    historyStart,
    historyEnd,
    behaviorItem: laid(behaviorItem, new Int32Array(length)),
    behaviorTime: laid(behaviorTime, new Float64Array(columns.gap ? length : 0)),
  }
  const behaviorFeatures = alone.behaviorFeatures.map(
    (feature): BehaviorFeature => ({ ...feature, rowOf: laid(feature.rowOf, new Int32Array(length)) }),
  )
  return { columns: { ...alone, impressions, behaviorFeatures }, rows: Int32Array.from(rows.keys()) }
}
