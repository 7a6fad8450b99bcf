/** Batches: impressions as inputs of a click model. */
import { atRows, inMemory, isOnDisk, type StoredCtrColumns } from '../../data/clicks/columns.js'
import type { CtrDataset } from '../../data/clicks/dataset.js'
import type { RowFeature } from '../../data/clicks/features.js'
import { type Column, revived, type Stored } from '../../data/tables/column.js'
import { EpochOrder, inParts } from '../../data/tables/epochOrder.js'
import { takeRows } from '../../data/tables/matrix.js'
import type { Value } from '../../engine/index.js'
import type { Part } from '../../engine/session.js'
import {
  type BehaviorSearch,
  type CtrFeatures,
  frequencyInput,
  historyInput,
  type TableFeature,
  targetInput,
  weightInput,
} from '../../models/ctr/index.js'
import { unknownRow } from '../../ops/tableRows.js'
import { searchBehaviors } from './search.js'

/** The inputs that a model of the data set can read. */
export function ctrFeatures(data: CtrDataset): CtrFeatures {
  const { impressionFeatures, itemFeatures, behaviorFeatures, gap, content } = data
  const feature = ({ name, table, size, values, weight }: RowFeature | Stored<RowFeature>): TableFeature => ({
    name,
    table,
    size,
    values,
    isWeighted: weight !== undefined,
  })
  const ofBehavior = (name: string, table: string, size: number) => ({
    name,
    table,
    size,
    values: 1,
    isWeighted: false,
  })
  return {
    impression: impressionFeatures.map(feature),
    item: [
      ...itemFeatures.map(feature),
      ...behaviorFeatures.map(({ name, table, size }) => ofBehavior(name, table, size)),
      ...(gap ? [ofBehavior(gapFeature, gapFeature, gapRows)] : []),
    ],
    isWeighted: data.impressions.weight.length > 0,
    content,
  }
}

const gapFeature = 'gap'
/** Table rows: padding, unknown, and powers of two seconds up to 34 years. */
const gapRows = unknownRow + 1 + 31

/** Table row of the time from behavior to impression, in microseconds. */
const gapRow = (gap: number) => unknownRow + 1 + Math.min(30, Math.floor(Math.log2(Math.max(1, gap / 1e6))))

/** All that the batches of a training depend on. */
export interface CtrBatches {
  columns: StoredCtrColumns
  /** Training impressions. */
  rows: Column<'int32'>
  /** Impressions per step, and the parts that a batch is split into. */
  batch: number
  accumulate: number
  /** Impressions that are shuffled together if they are in files. */
  buffer: number
  behaviorSearch: BehaviorSearch
  seed: number
}

/** Returns a function that makes the parts of any step (from 0); the threads of `Prefetcher` call it. */
export function batches({ batch, accumulate, buffer, behaviorSearch, seed, ...stored }: CtrBatches) {
  const { columns, rows } = revived({ columns: stored.columns, rows: stored.rows })
  const isRead = isOnDisk(columns)
  const order = new EpochOrder(rows, batch, seed, isRead ? buffer : rows.length)
  let loaded: { window: Int32Array; columns: StoredCtrColumns } | undefined
  /** The impressions of a step, and the columns in which `rows` are their rows. */
  const at = (step: number) => {
    if (!isRead) return { columns, rows: order.at(step) }
    const { window, positions } = order.positionsAt(step)
    if (loaded?.window !== window) loaded = { window, columns: atRows(columns, window) }
    return { columns: loaded.columns, rows: positions }
  }
  return (step: number): Part[] => {
    const { columns, rows } = at(step)
    return inParts(rows, accumulate).map((part, i) => {
      const drop = { data: Int32Array.of(seed, step * accumulate + i), shape: [2] }
      return { inputs: { ...paddedHistories(ctrBatch(columns, part, behaviorSearch)), seed: drop }, rows: part.length }
    })
  }
}

/** The inputs of a click model for the rows `impressions`, after the behavior search; `label` is float [B]. */
export function ctrBatch(
  columns: StoredCtrColumns,
  impressions: Int32Array,
  behaviorSearch: BehaviorSearch,
): Record<string, Value> {
  const { columns: data, rows } = inMemory(columns, impressions)
  const { item, label, weight, time, behaviorTime } = data.impressions
  const { owner, behavior, item: history } = searchBehaviors(data, rows, behaviorSearch)
  const targets = takeRows(item, 1, rows)
  const inputs: Record<string, Value> = {
    owner: ints(owner),
    label: floats(Float32Array.from(takeRows(label, 1, rows))),
  }
  inputs[frequencyInput] = floats(Float32Array.from(targets, (i) => Math.log1p(data.trainCount[i])))
  if (weight.length > 0) inputs[weightInput('label')] = floats(takeRows(weight, 1, rows))
  const put = (
    name: string,
    { rowOf, values, weight }: Pick<RowFeature, 'rowOf' | 'values' | 'weight'>,
    of: Int32Array,
  ) => {
    const rows = takeRows(rowOf, values, of)
    inputs[name] = values === 1 ? ints(rows) : { data: rows, shape: [of.length, values] }
    if (weight) inputs[weightInput(name)] = floats(takeRows(weight, 1, of))
  }
  for (const feature of data.impressionFeatures) put(targetInput(feature.name), feature, rows)
  const content = data.content ? [{ name: 'content', rowOf: data.content.rowOf, values: 1 }] : []
  for (const feature of [...data.itemFeatures, ...content]) {
    put(targetInput(feature.name), feature, targets)
    put(historyInput(feature.name), feature, history)
  }
  for (const { name, rowOf, target } of data.behaviorFeatures) {
    inputs[targetInput(name)] = ints(target ? takeRows(target, 1, rows) : unknown(rows.length))
    inputs[historyInput(name)] = ints(takeRows(rowOf, 1, behavior))
  }
  if (data.gap) {
    inputs[targetInput(gapFeature)] = ints(unknown(rows.length))
    inputs[historyInput(gapFeature)] = ints(behavior.map((b, i) => gapRow(time[rows[owner[i]]] - behaviorTime[b])))
  }
  return inputs
}

/** Leading bits of a number of behaviors that are not rounded: 32 lengths between a power of two and the next. */
const lengthBits = 6

/**
 * Pads the behaviors with ones that belong to no impression, so that few lengths occur: TensorFlow caches what it
 * prepares for each shape, and memory is reused for the same sizes.
 */
export function paddedHistories(inputs: Record<string, Value>, bits = lengthBits): Record<string, Value> {
  const [length] = inputs['owner'].shape
  const unit = 2 ** Math.max(0, 32 - Math.clz32(length) - bits)
  const rows = Math.ceil(length / unit) * unit
  const padded = ({ data, shape: [, ...rest] }: Value, fill: number): Value => {
    const longer = new (data.constructor as new (length: number) => typeof data)((data.length / length) * rows)
    longer.set(data)
    return { data: longer.fill(fill, data.length), shape: [rows, ...rest] }
  }
  if (rows === length) return inputs
  const entries = Object.entries(inputs).map(([name, value]) => {
    if (name === 'owner') return [name, padded(value, -1)]
    return [name, name.startsWith(historyInput('')) ? padded(value, 0) : value]
  })
  return Object.fromEntries(entries)
}

const ints = (data: Int32Array): Value => ({ data, shape: [data.length] })
const floats = (data: Float32Array): Value => ({ data, shape: [data.length] })
const unknown = (count: number) => new Int32Array(count).fill(unknownRow)
