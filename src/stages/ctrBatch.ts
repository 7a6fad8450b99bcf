/** Impressions as inputs of a click model. */
import type { ContentTable } from '../data/contentTable.js'
import type { CtrDataset, RowFeature, RowRange } from '../data/ctrDataset.js'
import { EpochOrder, inParts, keptRows } from '../data/order.js'
import { unknownRow } from '../data/vocabulary.js'
import type { Value } from '../engine/index.js'
import type { Part } from '../engine/training.js'
import {
  type CtrFeatures,
  frequencyInput,
  type Gsu,
  historyInput,
  type TableFeature,
  targetInput,
  weightInput,
} from '../models/ctr/index.js'
import { searched } from './gsu.js'

/** What the model of a data set may read. */
export function ctrFeatures(data: CtrDataset): CtrFeatures {
  const { impressionFeatures, itemFeatures, eventFeatures, gap, content } = data
  const feature = ({ name, table, size, values, weight }: RowFeature): TableFeature => ({
    name,
    table,
    size,
    values,
    isWeighted: weight !== undefined,
  })
  const event = (name: string, table: string, size: number) => ({ name, table, size, values: 1, isWeighted: false })
  return {
    impression: impressionFeatures.map(feature),
    item: [
      ...itemFeatures.map(feature),
      ...eventFeatures.map(({ name, table, size }) => event(name, table, size)),
      ...(gap ? [event(gapFeature, gapFeature, gapRows)] : []),
    ],
    isWeighted: data.impressions.weight.length > 0,
    content,
  }
}

const gapFeature = 'gap'
/** Powers of two seconds up to 34 years, beside the rows of padding and of what is unknown. */
const gapRows = unknownRow + 1 + 31

/** Row for the time between a behaviour and an impression, in microseconds. */
const gapRow = (gap: number) => unknownRow + 1 + Math.min(30, Math.floor(Math.log2(Math.max(1, gap / 1e6))))

/** What batches are made of. */
export type CtrColumns = Pick<
  CtrDataset,
  'impressionFeatures' | 'itemFeatures' | 'eventFeatures' | 'gap' | 'trainCount'
> & {
  /** `time` and `eventTime` are there where the gap between them is a feature. */
  impressions: Pick<
    CtrDataset['impressions'],
    'item' | 'label' | 'weight' | 'events' | 'historyStart' | 'historyEnd' | 'time' | 'eventTime'
  >
  content: Pick<ContentTable, 'rowOf' | 'vectors' | 'width' | 'sketches'> | undefined
}

/** What the batches of a training follow from. */
export interface CtrBatches {
  columns: CtrColumns
  train: RowRange
  /** Share of its impressions without a click that are kept. */
  negatives: number
  /** Impressions of a step, and the parts that it is worked through in. */
  batch: number
  accumulate: number
  gsu: Gsu
  seed: number
}

/** The columns of a data set without what batches do not need, for other threads. */
export function ctrColumns(data: CtrDataset): CtrColumns {
  const { impressions, impressionFeatures, itemFeatures, eventFeatures, gap, trainCount, content } = data
  const { item, label, weight, events, historyStart, historyEnd, time, eventTime } = impressions
  return {
    impressions: { item, label, weight, events, historyStart, historyEnd, time, eventTime },
    impressionFeatures,
    itemFeatures,
    eventFeatures,
    gap,
    trainCount,
    content: content && {
      rowOf: content.rowOf,
      vectors: content.vectors,
      width: content.width,
      sketches: content.sketches,
    },
  }
}

/** Makes the parts of any step (from 0); a thread of `Ahead` calls it. */
export function batches({ columns, train, negatives, batch, accumulate, gsu, seed }: CtrBatches) {
  const order = new EpochOrder(keptRows(train, columns.impressions.label, negatives, seed), batch, seed)
  return (step: number): Part[] =>
    inParts(order.at(step), accumulate).map((part, i) => {
      const drop = { data: Int32Array.of(seed, step * accumulate + i), shape: [2] }
      return { inputs: { ...ctrBatch(columns, part, gsu), seed: drop }, rows: part.length }
    })
}

/** The inputs of a click model for the impressions `rows`, after the search `gsu`; `label` is float [B]. */
export function ctrBatch(data: CtrColumns, rows: Int32Array, gsu: Gsu): Record<string, Value> {
  const { item, label, weight, time, eventTime } = data.impressions
  const { owner, history, event } = searched(data, rows, gsu)
  const targets = pick(item, rows)
  const inputs: Record<string, Value> = { owner: ints(owner), label: floats(Float32Array.from(pick(label, rows))) }
  inputs[frequencyInput] = floats(Float32Array.from(targets, (i) => Math.log1p(data.trainCount[i])))
  if (weight.length > 0) inputs[weightInput('label')] = floats(pick(weight, rows))
  const put = (
    name: string,
    { rowOf, values, weight }: Pick<RowFeature, 'rowOf' | 'values' | 'weight'>,
    of: Int32Array,
  ) => {
    inputs[name] = values === 1 ? ints(pick(rowOf, of)) : lists(rowOf, of, values)
    if (weight) inputs[weightInput(name)] = floats(pick(weight, of))
  }
  for (const feature of data.impressionFeatures) put(targetInput(feature.name), feature, rows)
  const content = data.content ? [{ name: 'content', rowOf: data.content.rowOf, values: 1 }] : []
  for (const feature of [...data.itemFeatures, ...content]) {
    put(targetInput(feature.name), feature, targets)
    put(historyInput(feature.name), feature, history)
  }
  for (const { name, rowOf, target } of data.eventFeatures) {
    inputs[targetInput(name)] = ints(target ? pick(target, rows) : unknown(rows.length))
    inputs[historyInput(name)] = ints(pick(rowOf, event))
  }
  if (data.gap) {
    inputs[targetInput(gapFeature)] = ints(unknown(rows.length))
    inputs[historyInput(gapFeature)] = ints(event.map((e, i) => gapRow(time[rows[owner[i]]] - eventTime[e])))
  }
  return inputs
}

const ints = (data: Int32Array): Value => ({ data, shape: [data.length] })
const floats = (data: Float32Array): Value => ({ data, shape: [data.length] })
const unknown = (count: number) => new Int32Array(count).fill(unknownRow)

/** The values at `places`; of arrays in shared memory too in memory of its own. */
function pick<T extends Int32Array | Float32Array | Uint8Array>(values: T, places: Int32Array): T {
  const picked = new (values.constructor as new (length: number) => T)(places.length)
  for (let i = 0; i < places.length; i++) picked[i] = values[places[i]]
  return picked
}

/** The `values` rows of each of `of`. */
function lists(rowOf: Int32Array, of: Int32Array, values: number): Value {
  const data = new Int32Array(of.length * values)
  for (let i = 0; i < of.length; i++) data.set(rowOf.subarray(of[i] * values, (of[i] + 1) * values), i * values)
  return { data, shape: [of.length, values] }
}
