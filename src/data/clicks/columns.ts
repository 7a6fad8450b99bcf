/** The columns that batches of a click model read, in memory or in files. */
import { type Column, columnOf, FileColumn, type Stored } from '../tables/column.js'
import type { ArrayOf, NumericKind } from '../tables/growing.js'
import type { ContentTable } from '../vectors/contentTable.js'
import type { CtrDataset } from './dataset.js'
import type { BehaviorFeature, RowFeature } from './features.js'

/** Columns by impression and by behavior; these may be in files. */
interface Varying {
  /** `time` and `behaviorTime` are empty if the gap between them is no feature. */
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

/** The columns of a data set that batches need, to be sent to other threads. */
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

/** Whether columns are in files: every piece that is read costs time. */
export const isOnDisk = ({ impressions }: StoredCtrColumns) => impressions.behaviorItem instanceof FileColumn

/** The impressions `rows` alone, in memory; behaviors stay where they are. */
export function atRows(columns: StoredCtrColumns, rows: Int32Array): StoredCtrColumns {
  const { item, label, weight, time, historyStart, historyEnd } = columns.impressions
  const picked = <K extends NumericKind>(column: Column<K>, width?: number) => columnOf<K>(column.pick(rows, width))
  return {
    ...columns,
    impressions: {
      ...columns.impressions,
      item: picked(item),
      label: picked(label),
      weight: weight.length > 0 ? picked(weight) : weight,
      time: time.length > 0 ? picked(time) : time,
      historyStart: picked(historyStart),
      historyEnd: picked(historyEnd),
    },
    impressionFeatures: columns.impressionFeatures.map(({ rowOf, weight, ...feature }) => ({
      ...feature,
      rowOf: picked(rowOf, feature.values),
      weight: weight && picked(weight),
    })),
    behaviorFeatures: columns.behaviorFeatures.map(({ target, ...feature }) => ({
      ...feature,
      target: target && picked(target),
    })),
  }
}

/** Columns in memory that contain the impressions `rows` and their histories, and the rows of these in the columns. */
export function inMemory(columns: StoredCtrColumns, rows: Int32Array): { columns: CtrColumns; rows: Int32Array } {
  if (!isOnDisk(columns)) return { columns: asArrays(columns), rows }
  const alone = atRows(columns, rows)
  const { behaviorItem, behaviorTime } = columns.impressions
  const [starts, ends] = [alone.impressions.historyStart.read(), alone.impressions.historyEnd.read()]
  const historyEnd = new Int32Array(rows.length)
  let length = 0
  for (let i = 0; i < rows.length; i++) historyEnd[i] = length += ends[i] - starts[i]
  const historyStart = historyEnd.map((end, i) => end - (ends[i] - starts[i]))
  /** The histories of a column by behavior, one after another. */
  const histories = <K extends 'int32' | 'float64'>(column: Column<K>, into: ArrayOf[K]): Column<K> => {
    for (let i = 0; i < rows.length; i++) into.set(column.read(starts[i], ends[i]), historyStart[i])
    return columnOf<K>(into)
  }
  const impressions = {
    ...alone.impressions,
    historyStart: columnOf(historyStart),
    historyEnd: columnOf(historyEnd),
    behaviorItem: histories(behaviorItem, new Int32Array(length)),
    behaviorTime: columns.gap ? histories(behaviorTime, new Float64Array(length)) : behaviorTime,
  }
  const behaviorFeatures = alone.behaviorFeatures.map((feature) => ({
    ...feature,
    rowOf: histories(feature.rowOf, new Int32Array(length)),
  }))
  return { columns: asArrays({ ...alone, impressions, behaviorFeatures }), rows: Int32Array.from(rows.keys()) }
}

/** Views of columns that are in memory. */
function asArrays({ impressions: all, impressionFeatures, behaviorFeatures, ...fixed }: StoredCtrColumns): CtrColumns {
  return {
    ...fixed,
    impressions: {
      item: all.item.read(),
      label: all.label.read(),
      weight: all.weight.read(),
      time: all.time.read(),
      historyStart: all.historyStart.read(),
      historyEnd: all.historyEnd.read(),
      behaviorItem: all.behaviorItem.read(),
      behaviorTime: all.behaviorTime.read(),
    },
    impressionFeatures: impressionFeatures.map(({ rowOf, weight, ...feature }) => ({
      ...feature,
      rowOf: rowOf.read(),
      weight: weight?.read(),
    })),
    behaviorFeatures: behaviorFeatures.map(({ rowOf, target, ...feature }) => ({
      ...feature,
      rowOf: rowOf.read(),
      target: target?.read(),
    })),
  }
}
