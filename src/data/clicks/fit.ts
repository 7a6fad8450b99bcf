/** Learns vocabularies and scalings from the training impressions and the histories that they see. */
import { type Column, type ColumnStore, columnOf } from '../tables/column.js'
import type { ContentTable } from '../vectors/contentTable.js'
import { fitWhitening, type WhitenOptions } from '../vectors/whitening.js'
import { type Encoders, fitScaling, type Scaling } from './encoders.js'
import type { FeatureColumn } from './features.js'
import type { Clicks, Impressions } from './read.js'
import { tally, type Vocabulary, vocabulary } from './vocabulary.js'

export interface DatasetOptions {
  split: { train: number; valid: number }
  user: boolean
  /** Least occurrences of a value that gets a row of its own, unless its feature says otherwise. */
  minCount: number
  gap?: boolean
  timeOrder?: Record<string, number>
  /** Rows by dense number if ids are hashed. */
  hashed?: { item: Vocabulary; user: Vocabulary }
  /** Whitening of content vectors; undefined, or 0 dimensions kept: none. */
  whiten?: WhitenOptions
  /** Encoders of a trained model: all impressions are then the test part, to be scored. */
  encoders?: Encoders
  /** Where columns are stored; default: memory. */
  store?: ColumnStore
}

/** Learns encoders from the first `trained` impressions and the histories that they see. */
export function fit(
  clicks: Clicks,
  content: ContentTable | undefined,
  trained: number,
  { user, minCount, hashed, whiten }: DatasetOptions,
): Encoders {
  const { impressions } = clicks
  const trainCount = new Int32Array(impressions.items)
  for (const items of impressions.item.values(0, trained)) tally(trainCount, items)
  const itemCounts = trainCount.slice()
  const counts = new ValueCounts(clicks, minCount)
  countHistories(impressions, trained, itemCounts, counts)
  for (const feature of impressions.context) counts.add(feature, feature.codes, trained * feature.values)
  // Each item counts once for its features: a value of few items may be shown often.
  const known = Int32Array.from(itemCounts.keys()).filter((i) => itemCounts[i] > 0)
  for (const feature of clicks.items)
    counts.add(feature, feature.codes && columnOf(feature.codes.pick(known, feature.values)))

  const vocabularies: Record<string, Vocabulary> = { item: hashed?.item ?? vocabulary(itemCounts, minCount) }
  if (user) {
    const userCounts = new Int32Array(impressions.users)
    for (const users of impressions.user.values(0, trained)) tally(userCounts, users)
    vocabularies['user'] = hashed?.user ?? vocabulary(userCounts, minCount)
  }
  Object.assign(vocabularies, counts.vocabularies())
  const withVector = content && whiten?.kept ? known.map((i) => content.rowOf[i]).filter((row) => row > 0) : nothing
  const whitening = withVector.length > 0 ? fitWhitening(content!, withVector, whiten!) : undefined
  return { vocabularies, scalings: fitScalings(clicks, trained), trainCount, whitening }
}

type Counted = Pick<FeatureColumn, 'table' | 'spec' | 'reads'>

/** Occurrences of each value, by embedding table. */
class ValueCounts {
  private readonly byTable = new Map<string, { counts: Int32Array; minCount: number }>()

  constructor({ impressions: { context, behaviorFeatures }, items, numbers }: Clicks, minCount: number) {
    const register = ({ table, spec, reads }: Counted, least: number) => {
      if (reads !== 'vocabulary') return
      const own = ('minCount' in spec ? spec.minCount : null) ?? least
      const known = this.byTable.get(table)
      const counts = known?.counts ?? new Int32Array(numbers.byTable[table].count)
      this.byTable.set(table, { counts, minCount: Math.min(known?.minCount ?? own, own) })
    }
    for (const feature of items) register(feature, 1)
    for (const feature of [...context, ...behaviorFeatures]) register(feature, minCount)
  }

  /** Counts the first `length` codes of a feature; numbers and hashed texts are not counted. */
  add({ table, reads }: Counted, codes: Column<'int32'> | undefined, length = codes?.length): void {
    if (reads !== 'vocabulary' || codes === undefined) return
    const { counts } = this.byTable.get(table)!
    for (const some of codes.values(0, length)) tally(counts, some)
  }

  vocabularies(): Record<string, Vocabulary> {
    const entries = [...this.byTable].map(([table, { counts, minCount }]) => [table, vocabulary(counts, minCount)])
    return Object.fromEntries(entries)
  }
}

/** Counts the behaviors that the first `trained` impressions see, each once, and the values of their targets. */
function countHistories(impressions: Impressions, trained: number, itemCounts: Int32Array, counts: ValueCounts): void {
  const { behaviorItem, behaviorFeatures } = impressions
  for (const { from, isSeen } of seenBehaviors(impressions, trained)) {
    const seen = (column: Column<'int32'>) => column.read(from, from + isSeen.length).filter((_, i) => isSeen[i] === 1)
    tally(itemCounts, seen(behaviorItem))
    for (const feature of behaviorFeatures) counts.add(feature, columnOf(seen(feature.codes)))
  }
  for (const feature of behaviorFeatures) counts.add(feature, feature.targetCodes, trained)
}

/** Scalings of numbers, by feature: of impressions, and of items by the impressions that show them. */
function fitScalings({ impressions: { item, context }, items }: Clicks, trained: number): Record<string, Scaling> {
  const scalings: Record<string, Scaling> = {}
  for (const { name, spec, numbersOfRows } of context) {
    if (numbersOfRows) scalings[name] = fitScaling(spec, () => numbersOfRows.values(0, trained))
  }
  for (const { name, spec, numbersOfRows } of items) {
    if (!numbersOfRows) continue
    scalings[name] = fitScaling(spec, function* () {
      for (const shown of item.values(0, trained)) yield numbersOfRows.pick(shown)
    })
  }
  return scalings
}

/** Behaviors that are processed at once, to bound memory. */
const behaviorsAtOnce = 2 ** 24

/** Which behaviors some of the first `rows` impressions see: 1 for each that is seen, from behavior `from` on. */
function* seenBehaviors(
  { behaviorItem, historyStart, historyEnd }: Impressions,
  rows: number,
): Generator<{ from: number; isSeen: Uint8Array }> {
  for (let from = 0; from < behaviorItem.length; from += behaviorsAtOnce) {
    const count = Math.min(behaviorsAtOnce, behaviorItem.length - from)
    // +1 where a history starts, −1 where it ends: the running sum is the number of histories that have a behavior.
    const change = new Int32Array(count + 1)
    const within = (behavior: number) => Math.max(0, Math.min(count, behavior - from))
    for (const { from: row, values: starts } of historyStart.blocks(0, rows)) {
      const ends = historyEnd.read(row, row + starts.length)
      for (let i = 0; i < starts.length; i++) {
        change[within(starts[i])]++
        change[within(ends[i])]--
      }
    }
    let open = 0
    const isSeen = new Uint8Array(count)
    for (let behavior = 0; behavior < count; behavior++) {
      open += change[behavior]
      if (open > 0) isSeen[behavior] = 1
    }
    yield { from, isSeen }
  }
}

export const nothing = new Float64Array(0)
