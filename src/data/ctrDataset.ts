/** Impressions as the numbers that a click model reads: the table row of every feature. */
import type { ContentTable } from './contentTable.js'
import { type Encoders, encode, fitScaling, type NumberTables, type Scaling } from './encoders.js'
import type { FeatureColumn } from './features.js'
import type { Impressions } from './impressions.js'
import { unknownRow, type Vocabulary, vocabulary } from './vocabulary.js'

/** A feature of impressions or of items: rows of an embedding table by impression or by dense item number. */
export interface RowFeature {
  name: string
  /** Embedding table; features may share one. */
  table: string
  /** Rows of the table. */
  size: number
  /** Embeddings that are summed; 1 but for lists. */
  values: number
  /** [rows × values]; `paddingRow` where a list is shorter. */
  rowOf: Int32Array
  /** What the embedding is multiplied by, of numbers. */
  weight?: Float32Array
}

/** A feature of behaviours: rows by event, and of the target by impression (`unknownRow` where it is not told). */
export interface EventFeature {
  name: string
  table: string
  size: number
  rowOf: Int32Array
  target: Int32Array | undefined
}

export interface RowRange {
  from: number
  to: number
}

export interface CtrDataset {
  impressions: Impressions
  split: { train: RowRange; valid: RowRange; test: RowRange }
  impressionFeatures: RowFeature[]
  itemFeatures: RowFeature[]
  eventFeatures: EventFeature[]
  /** Whether the time from behaviour to impression is a feature. */
  gap: boolean
  content: ContentTable | undefined
  /** Training impressions of each item. */
  trainCount: Int32Array
  /** Rank correlation of ids with time, by feature; NaN where a feature has few values. */
  timeOrder: Record<string, number>
  /** What made rows of tables out of values, to be kept with the model, and where the values are. */
  encoders: Encoders
  tables: NumberTables
}

export interface DatasetOptions {
  split: { train: number; valid: number }
  user: boolean
  minCount: number
  gap?: boolean
  /** Where the values of the embedding tables are. */
  tables: NumberTables
  timeOrder?: CtrDataset['timeOrder']
  /** Rows by dense number, where ids are hashed. */
  hashed?: { item: Vocabulary; user: Vocabulary }
  /** Those of a trained model, for impressions to be scored: all of them are the test part then. */
  encoders?: Encoders
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
  const { user, minCount, hashed, encoders: saved } = options
  const { item, context, sides } = impressions
  const split = saved ? toScore(impressions) : splitOf(impressions, options.split)
  const trained = split.train.to
  const trainItems = item.subarray(0, trained)
  // Events that some training history sees.
  const seen = saved ? new Int32Array(0) : seenEvents(impressions, trained)
  const seenItems = [trainItems, seen.map((event) => impressions.events[event])]

  const fit = (): Encoders => {
    const vocabularies: Record<string, Vocabulary> = {
      item: hashed?.item ?? vocabulary(impressions.items, seenItems, minCount),
    }
    if (user) {
      const users = [impressions.user.subarray(0, trained)]
      vocabularies['user'] = hashed?.user ?? vocabulary(impressions.users, users, minCount)
    }
    const occurrences = new Map<string, { seen: Int32Array[]; minCount: number }>()
    const count = (column: Pick<FeatureColumn, 'table' | 'spec' | 'numbers'>, codes: Int32Array, least: number) => {
      if (column.numbers === undefined) return
      const own = 'minCount' in column.spec ? column.spec.minCount : null
      const entry = occurrences.get(column.table) ?? { seen: [], minCount: own ?? least }
      occurrences.set(column.table, { seen: [...entry.seen, codes], minCount: Math.min(entry.minCount, own ?? least) })
    }
    // An item counts once for its side columns: what few items have may be shown often.
    const known = distinct(seenItems, impressions.items)
    for (const column of itemColumns) if (column.codes) count(column, picked(column.codes, known, column.values), 1)
    for (const column of context) {
      if (column.codes) count(column, column.codes.subarray(0, trained * column.values), minCount)
    }
    for (const side of sides) {
      count(side, picked(side.codes, seen, 1), minCount)
      if (side.targetCodes) count(side, side.targetCodes.subarray(0, trained), minCount)
    }
    for (const [table, { seen, minCount }] of occurrences) {
      vocabularies[table] = vocabulary(options.tables[table].count, seen, minCount)
    }
    const scalings: Record<string, Scaling> = {}
    for (const { name, spec, numbersOfRows } of context) {
      if (numbersOfRows) scalings[name] = fitScaling(spec, numbersOfRows.subarray(0, trained))
    }
    for (const { name, spec, numbersOfRows } of itemColumns) {
      if (numbersOfRows)
        scalings[name] = fitScaling(
          spec,
          Float32Array.from(trainItems, (i) => numbersOfRows[i]),
        )
    }
    const trainCount = new Int32Array(impressions.items)
    for (const i of trainItems) trainCount[i]++
    return { vocabularies, scalings, trainCount }
  }
  const encoders = saved ?? fit()

  const { vocabularies } = encoders
  const itemFeatures = [plain('item', vocabularies['item']), ...itemColumns.map((column) => encode(column, encoders))]
  const impressionFeatures = context.map((column) => encode(column, encoders))
  if (user) {
    const { rowOf, size } = vocabularies['user']
    impressionFeatures.unshift(plain('user', { rowOf: impressions.user.map((u) => rowOf[u]), size }))
  }
  const eventFeatures = sides.map(({ name, table, codes, targetCodes }): EventFeature => {
    const { rowOf, size } = vocabularies[table]
    const rows = (of: Int32Array) => of.map((code) => (code < 0 ? unknownRow : rowOf[code]))
    return { name, table, size, rowOf: rows(codes), target: targetCodes && rows(targetCodes) }
  })
  // What is encoded now, or of no use for batches, would only take room.
  const spent = { context: [], sides: [], ...(options.gap ? {} : { time: nothing, eventTime: nothing }) }
  return {
    impressions: { ...impressions, ...spent, weight: relative(impressions.weight, trained) },
    split,
    impressionFeatures,
    itemFeatures,
    eventFeatures,
    gap: options.gap ?? false,
    content,
    trainCount: encoders.trainCount,
    timeOrder: options.timeOrder ?? {},
    encoders,
    tables: options.tables,
  }
}

const nothing = new Float64Array(0)

const plain = (name: string, { rowOf, size }: Vocabulary): RowFeature => ({ name, table: name, size, values: 1, rowOf })

function splitOf({ rows, parts }: Impressions, { train, valid }: DatasetOptions['split']): CtrDataset['split'] {
  // Rounded, for 0.7 + 0.1 is a little less than 0.8.
  const [a, b] = parts ? [parts[0], parts[0] + parts[1]] : [rows * train, rows * (train + valid)].map(Math.round)
  return { train: { from: 0, to: a }, valid: { from: a, to: b }, test: { from: b, to: rows } }
}

function toScore({ rows }: Impressions): CtrDataset['split'] {
  return { train: { from: 0, to: 0 }, valid: { from: 0, to: 0 }, test: { from: 0, to: rows } }
}

/** Weights scaled so that their mean over the first `rows` is 1. */
function relative(weight: Float32Array, rows: number): Float32Array {
  const mean = weight.subarray(0, rows).reduce((sum, w) => sum + w, 0) / rows
  return mean > 0 ? weight.map((w) => w / mean) : weight
}

/** The numbers below `count` that stand in some of the lists. */
function distinct(lists: readonly Int32Array[], count: number): Int32Array {
  const stands = new Uint8Array(count)
  for (const list of lists) for (const number of list) stands[number] = 1
  return Int32Array.from(stands.keys()).filter((number) => stands[number] === 1)
}

/** Codes of the `rows` out of [all × values]. */
function picked(codes: Int32Array, rows: Int32Array, values: number): Int32Array {
  if (values === 1) return rows.map((row) => codes[row])
  const out = new Int32Array(rows.length * values)
  rows.forEach((row, i) => {
    out.set(codes.subarray(row * values, (row + 1) * values), i * values)
  })
  return out
}

/** Numbers of the events that some of the first `rows` impressions see. */
function seenEvents({ events, historyStart, historyEnd }: Impressions, rows: number): Int32Array {
  // +1 where a history starts, −1 where it ends: the running sum tells how many see an event.
  const change = new Int32Array(events.length + 1)
  for (let row = 0; row < rows; row++) {
    change[historyStart[row]]++
    change[historyEnd[row]]--
  }
  let [open, count] = [0, 0]
  const seen = new Int32Array(events.length)
  for (let event = 0; event < events.length; event++) {
    open += change[event]
    if (open > 0) seen[count++] = event
  }
  return seen.subarray(0, count)
}
