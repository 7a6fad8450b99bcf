import { blocks, type Column, type ColumnStore, isFile, pick, stretch, valuesOf } from '../tables/column.js'
import type { ContentTable } from '../vectors/contentTable.js'
import { fitWhitening, type WhitenOptions } from '../vectors/whitening.js'
import { type Encoders, fitScaling, type NumberTables, type Scaling } from './encoders.js'
import type { FeatureColumn } from './features.js'
import type { Impressions } from './impressions.js'
import { tally, type Vocabulary, vocabulary } from './vocabulary.js'

export interface DatasetOptions {
  split: { train: number; valid: number }
  user: boolean
  minCount: number
  gap?: boolean
  /** Where the values of the embedding tables are. */
  tables: NumberTables
  timeOrder?: Record<string, number>
  /** Rows by dense number, where ids are hashed. */
  hashed?: { item: Vocabulary; user: Vocabulary }
  /** How content vectors are whitened; none, or none kept: they stay as they are. */
  whiten?: WhitenOptions
  /** Those of a trained model, for impressions to be scored: all of them are the test part then. */
  encoders?: Encoders
  /** What keeps the columns of `impressions`; default: memory. */
  store?: ColumnStore
}

/** Learns encoders from the first `trained` impressions and the histories that they see. */
export function fit(
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

/** Which events some of the first `rows` impressions see: 1 for each that is seen, from event `from` on. */
export function* seenEvents(
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

/** Events that are looked at at once. */
export const eventsAtOnce = 2 ** 24

export const nothing = new Float64Array(0)
