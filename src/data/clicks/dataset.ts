/** Impressions as the numbers that a click model reads: the table row of every feature. */
import {
  blocks,
  type Column,
  ColumnStore,
  isFile,
  pick,
  type Stored,
  stretch,
  sum,
  valuesOf,
} from '../tables/column.js'
import type { ContentTable } from '../vectors/contentTable.js'
import { fitWhitening, type WhitenOptions, whiten } from '../vectors/whitening.js'
import { type Encoders, encode, fitScaling, type NumberTables, type Scaling } from './encoders.js'
import type { FeatureColumn } from './features.js'
import type { Impressions } from './impressions.js'
import { tally, unknownRow, type Vocabulary, vocabulary } from './vocabulary.js'

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
  impressionFeatures: Stored<RowFeature>[]
  itemFeatures: RowFeature[]
  eventFeatures: Stored<EventFeature>[]
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
  /** What keeps the columns of impressions and behaviours. */
  store: ColumnStore
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
  /** How content vectors are whitened; none, or none kept: they stay as they are. */
  whiten?: WhitenOptions
  /** Those of a trained model, for impressions to be scored: all of them are the test part then. */
  encoders?: Encoders
  /** What keeps the columns of `impressions`; default: memory. */
  store?: ColumnStore
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

/** Learns encoders from the first `trained` impressions and the histories that they see. */
function fit(
  impressions: Impressions,
  itemColumns: readonly FeatureColumn[],
  content: ContentTable | undefined,
  trained: number,
  { user, minCount, hashed, tables, whiten }: DatasetOptions,
): Encoders {
  const { item, context, sides } = impressions
  const trainCount = new Int32Array(impressions.items)
  for (const items of valuesOf(item, 0, trained)) tally(trainCount, items)
  const itemCounts = trainCount.slice()

  /** How often the values of each table occur, and how often they must. */
  const occurrences = new Map<string, { counts: Int32Array; minCount: number }>()
  /** What counts the values of a feature; texts that are hashed, and numbers, are not counted. */
  const counter = ({ table, spec, numbers }: Pick<FeatureColumn, 'table' | 'spec' | 'numbers'>, least: number) => {
    if (numbers === undefined) return () => {}
    const own = ('minCount' in spec ? spec.minCount : null) ?? least
    const { counts, minCount } = occurrences.get(table) ?? {
      counts: new Int32Array(tables[table].count),
      minCount: own,
    }
    occurrences.set(table, { counts, minCount: Math.min(minCount, own) })
    return (codes: Int32Array) => tally(counts, codes)
  }

  const countItems = itemColumns.map((column) => counter(column, 1))
  const countContext = context.map((column) => counter(column, minCount))
  const countSides = sides.map((side) => counter(side, minCount))
  for (const { from, isSeen } of seenEvents(impressions, trained)) {
    const kept = (column: Column<'int32'>) =>
      stretch(column, from, from + isSeen.length).filter((_, i) => isSeen[i] === 1)
    tally(itemCounts, kept(impressions.events))
    for (const [s, { codes }] of sides.entries()) countSides[s](kept(codes))
  }
  for (const [s, { targetCodes }] of sides.entries()) {
    if (targetCodes) for (const codes of valuesOf(targetCodes, 0, trained)) countSides[s](codes)
  }
  for (const [c, { codes: all, values }] of context.entries()) {
    if (all) for (const codes of valuesOf(all, 0, trained * values)) countContext[c](codes)
  }
  // An item counts once for its side columns: what few items have may be shown often.
  const known = Int32Array.from(itemCounts.keys()).filter((i) => itemCounts[i] > 0)
  for (const [c, { codes, values }] of itemColumns.entries()) if (codes) countItems[c](pick(codes, known, values))

  const vocabularies: Record<string, Vocabulary> = { item: hashed?.item ?? vocabulary(itemCounts, minCount) }
  if (user) {
    const counts = new Int32Array(impressions.users)
    for (const users of valuesOf(impressions.user, 0, trained)) tally(counts, users)
    vocabularies['user'] = hashed?.user ?? vocabulary(counts, minCount)
  }
  for (const [table, { counts, minCount }] of occurrences) vocabularies[table] = vocabulary(counts, minCount)

  const scalings: Record<string, Scaling> = {}
  for (const { name, spec, numbersOfRows } of context) {
    if (numbersOfRows) scalings[name] = fitScaling(spec, () => valuesOf(numbersOfRows, 0, trained))
  }
  for (const { name, spec, numbersOfRows } of itemColumns) {
    if (!numbersOfRows) continue
    scalings[name] = fitScaling(spec, function* () {
      for (const items of valuesOf(item, 0, trained)) yield pick(numbersOfRows, items)
    })
  }
  const withVector = content && whiten?.kept ? known.map((i) => content.rowOf[i]).filter((row) => row > 0) : nothing
  const whitening = withVector.length > 0 ? fitWhitening(content!, withVector, whiten!) : undefined
  return { vocabularies, scalings, trainCount, whitening }
}

const nothing = new Float64Array(0)

const plain = <C>(name: string, { rowOf, size }: { rowOf: C; size: number }) => ({
  name,
  table: name,
  size,
  values: 1,
  rowOf,
})

function splitOf({ rows, parts }: Impressions, { train, valid }: DatasetOptions['split']): CtrDataset['split'] {
  // Rounded, for 0.7 + 0.1 is a little less than 0.8.
  const [a, b] = parts ? [parts[0], parts[0] + parts[1]] : [rows * train, rows * (train + valid)].map(Math.round)
  return { train: { from: 0, to: a }, valid: { from: a, to: b }, test: { from: b, to: rows } }
}

function toScore({ rows }: Impressions): CtrDataset['split'] {
  return { train: { from: 0, to: 0 }, valid: { from: 0, to: 0 }, test: { from: 0, to: rows } }
}

/** Weights scaled so that their mean over the first `rows` is 1. */
function relative(weight: Column<'float32'>, rows: number, store: ColumnStore): Column<'float32'> {
  const mean = sum(weight, 0, Math.min(rows, weight.length)) / rows
  return mean > 0 ? store.map(weight, 'float32', (w) => w / mean) : weight
}

/** Events that are looked at at once. */
const eventsAtOnce = 2 ** 24

/** Which events some of the first `rows` impressions see: 1 for each that is seen, from event `from` on. */
function* seenEvents(
  { events, historyStart, historyEnd }: Impressions,
  rows: number,
): Generator<{ from: number; isSeen: Uint8Array }> {
  const atOnce = isFile(events) ? eventsAtOnce : events.length
  for (let from = 0; from < events.length; from += atOnce) {
    const count = Math.min(atOnce, events.length - from)
    // +1 where a history starts, −1 where it ends: the running sum tells how many see an event.
    const change = new Int32Array(count + 1)
    const within = (event: number) => Math.max(0, Math.min(count, event - from))
    for (const { from: row, values: starts } of blocks(historyStart, 0, rows)) {
      const ends = stretch(historyEnd, row, row + starts.length)
      for (let i = 0; i < starts.length; i++) {
        change[within(starts[i])]++
        change[within(ends[i])]--
      }
    }
    let open = 0
    const isSeen = new Uint8Array(count)
    for (let event = 0; event < count; event++) {
      open += change[event]
      if (open > 0) isSeen[event] = 1
    }
    yield { from, isSeen }
  }
}
