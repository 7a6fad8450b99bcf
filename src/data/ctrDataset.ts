/** Impressions as the numbers that a click model reads: the table row of every feature. */
import type { ContentTable } from './contentTable.js'
import type { Impressions } from './impressions.js'
import { numberTexts, unknownRow, vocabulary } from './vocabulary.js'

/** A feature of the impression: a table row for each impression. */
interface ImpressionFeature {
  name: string
  size: number
  rowOf: Int32Array
}

/** A feature of items: a table row for each dense item number. */
interface ItemFeature {
  name: string
  size: number
  rowOf: Int32Array
}

export interface RowRange {
  from: number
  to: number
}

export interface CtrDataset {
  impressions: Impressions
  split: { train: RowRange; valid: RowRange; test: RowRange }
  impressionFeatures: ImpressionFeature[]
  itemFeatures: ItemFeature[]
  content: ContentTable | undefined
  /** Training impressions of each item. */
  trainCount: Int32Array
}

export interface DatasetOptions {
  split: { train: number; valid: number }
  user: boolean
  minCount: number
}

/**
 * Splits by time and builds vocabularies from the training impressions and the histories that they see.
 * `itemTexts` are side columns of items by dense item number.
 */
export function buildDataset(
  impressions: Impressions,
  itemTexts: Record<string, (string | null)[]>,
  content: ContentTable | undefined,
  { split, user, minCount }: DatasetOptions,
): CtrDataset {
  const { rows, item } = impressions
  // Rounded, for 0.7 + 0.1 is a little less than 0.8.
  const [a, b] = [Math.round(rows * split.train), Math.round(rows * (split.train + split.valid))]
  const trainItems = item.subarray(0, a)
  const seen = [...new Set([...trainItems, ...seenEvents(impressions, a)])]

  const itemFeatures: ItemFeature[] = [{ name: 'item', ...itemVocabulary(impressions, a, minCount) }]
  for (const [name, texts] of Object.entries(itemTexts)) {
    const { numbers, names } = numberTexts(texts)
    const { rowOf, size } = vocabulary(
      names.length,
      seen.map((i) => numbers[i]).filter((n) => n >= 0),
      1,
    )
    itemFeatures.push({ name, size, rowOf: numbers.map((n) => (n < 0 ? unknownRow : rowOf[n])) })
  }
  const impressionFeatures: ImpressionFeature[] = []
  if (user) {
    const { rowOf, size } = vocabulary(impressions.users, impressions.user.subarray(0, a), minCount)
    impressionFeatures.push({ name: 'user', size, rowOf: impressions.user.map((u) => rowOf[u]) })
  }
  for (const [name, texts] of Object.entries(impressions.context)) {
    const { numbers, names } = numberTexts(texts)
    const { rowOf, size } = vocabulary(
      names.length,
      numbers.subarray(0, a).filter((n) => n >= 0),
      minCount,
    )
    impressionFeatures.push({ name, size, rowOf: numbers.map((n) => (n < 0 ? unknownRow : rowOf[n])) })
  }
  const trainCount = new Int32Array(impressions.items)
  for (const i of trainItems) trainCount[i]++
  return {
    impressions,
    split: { train: { from: 0, to: a }, valid: { from: a, to: b }, test: { from: b, to: rows } },
    impressionFeatures,
    itemFeatures,
    content,
    trainCount,
  }
}

/** Items of the events that some of the first `rows` impressions see. */
function seenEvents({ events, historyStart, historyEnd }: Impressions, rows: number): Int32Array {
  // +1 where a history starts, −1 where it ends: the running sum tells how many see an event.
  const change = new Int32Array(events.length + 1)
  for (let row = 0; row < rows; row++) {
    change[historyStart[row]]++
    change[historyEnd[row]]--
  }
  let open = 0
  return events.filter((_, i) => {
    open += change[i]
    return open > 0
  })
}

function itemVocabulary(impressions: Impressions, rows: number, minCount: number) {
  function* occurrences() {
    yield* impressions.item.subarray(0, rows)
    yield* seenEvents(impressions, rows)
  }
  return vocabulary(impressions.items, occurrences(), minCount)
}
