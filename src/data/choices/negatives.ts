/** Which items must not count as negatives of a query, and which ones make hard negatives. */
import type { Random } from '../../base/random.js'
import { type ItemLists, listOf } from './itemLists.js'
import { parts } from './log.js'
import type { Positives } from './positives.js'

/** Added to a logit, this takes it out of the softmax. */
const masked = -1e9

/** Pairs without the texts and pictures of their queries. */
export type TrainingPairs = Omit<Positives, 'queryImages' | 'queryTexts'>

/** The columns of a step's logits; the targets of its rows come first. */
export interface Candidates {
  /** Item numbers; −1: an empty place [columns]. */
  items: Int32Array
  /** Pair that a queued item is the target of [columns]; not read before `queuedFrom`. */
  pairs: Int32Array
  /** First column of the queue. */
  queuedFrom: number
}

export interface BiasOptions {
  logQ: boolean
  /** Whether an item occurs in this column as often as it is a target, so that the logQ correction applies. */
  corrected: (column: number) => boolean
  /** Largest distance in the log, in days, between the behaviors of a row and of a queued item; 0: no limit. */
  maxAgeDays: number
}

/** Decides by the training pairs which items are negatives. */
export class Negatives {
  /** Targets of the training pairs of each query; lists are numbered by `queryOf`. */
  private readonly targets: ItemLists
  private readonly firstOfKind: readonly number[]
  private readonly byCategory = new Map<number, number[]>()
  /** The number of the last row in which each item was found to be a positive [items]. */
  private readonly marks: Int32Array
  private row = 0
  /** ln(share of an item among the targets × number of distinct targets) [items]; 0 for an item of average frequency. */
  readonly logQ: Float32Array
  constructor(
    private readonly positives: TrainingPairs,
    private readonly category: Int32Array,
    /** Equal numbers for items that must not be negatives of each other, such as items of equal title [items]. */
    private readonly duplicates: Int32Array,
    /** Nearest neighbors of each item by the vectors in training. */
    private readonly mined?: ItemLists,
  ) {
    const items = category.length
    const counts = new Float32Array(items)
    let total = 0
    for (let i = 0; i < positives.count; i++) {
      if (positives.part[i] !== parts.train) continue
      counts[positives.target[i]]++
      total++
    }
    const queries = [0, 0, items]
    for (let i = 0; i < positives.count; i++)
      queries[positives.kind[i]] = Math.max(queries[positives.kind[i]], positives.query[i] + 1)
    this.firstOfKind = [0, queries[0], queries[0] + queries[1]]
    this.targets = this.listTargets(this.firstOfKind[2] + queries[2])
    const distinct = counts.reduce((n, c) => n + (c > 0 ? 1 : 0), 0)
    this.logQ = counts.map((c) => (c > 0 ? Math.log((c / total) * distinct) : 0))
    this.marks = new Int32Array(items)
    category.forEach((c, item) => {
      if (c < 0) return
      const others = this.byCategory.get(c)
      if (others) others.push(item)
      else this.byCategory.set(c, [item])
    })
  }

  /** Number of a pair's query among the queries of all kinds. */
  private queryOf(pair: number): number {
    return this.firstOfKind[this.positives.kind[pair]] + this.positives.query[pair]
  }

  private listTargets(queries: number): ItemLists {
    const { count, part, target } = this.positives
    const offsets = new Int32Array(queries + 1)
    for (let i = 0; i < count; i++) if (part[i] === parts.train) offsets[this.queryOf(i) + 1]++
    for (let q = 0; q < queries; q++) offsets[q + 1] += offsets[q]
    const next = offsets.slice()
    const items = new Int32Array(offsets[queries])
    for (let i = 0; i < count; i++) if (part[i] === parts.train) items[next[this.queryOf(i)]++] = target[i]
    return { items, offsets }
  }

  /** Marks the items that training knows to be chosen with the pair's query or in its session; returns the mark. */
  private markKnown(pair: number): number {
    const { inSession, session } = this.positives
    const row = ++this.row
    for (const item of listOf(this.targets, this.queryOf(pair))) this.marks[item] = row
    if (session[pair] >= 0) for (const item of listOf(inSession, session[pair])) this.marks[item] = row
    return row
  }

  /**
   * Whether `item` must not count as a negative of the pair's query: it is the target or a duplicate of it, or it is
   * known to be chosen with this query or in this session.
   */
  isPositive(pair: number, item: number): boolean {
    const mark = this.markKnown(pair)
    return this.marks[item] === mark || this.duplicates[item] === this.duplicates[this.positives.target[pair]]
  }

  /**
   * Draws a hard negative of a pair: a mined neighbor of its target, or an item shown in the same request and not taken
   * (either first, by chance); else an item of the target's category; −1 if there is none.
   */
  hard(pair: number, random: Random): number {
    const { rejected, request, target } = this.positives
    const shown = request[pair] < 0 ? none : listOf(rejected, request[pair])
    const near = this.mined ? listOf(this.mined, target[pair]) : none
    const sameCategory = this.byCategory.get(this.category[target[pair]]) ?? none
    const first = near.length > 0 && (shown.length === 0 || random.chance(0.5)) ? [near, shown] : [shown, near]
    for (const pool of [...first, sameCategory]) {
      // A few draws are enough: most items of a pool are not positives.
      for (let draw = 0; draw < 4 && pool.length > 0; draw++) {
        const candidate = pool[random.int(pool.length)]
        if (!this.isPositive(pair, candidate)) return candidate
      }
    }
    return -1
  }

  /**
   * Additive mask of logits [pairs, columns]: −1e9 where a candidate is not a negative of the pair, except the pair's
   * target on the diagonal; elsewhere −logQ where the correction applies, or 0.
   */
  bias(pairs: Int32Array, candidates: Candidates, { logQ, corrected, maxAgeDays }: BiasOptions): Float32Array {
    const { items, queuedFrom } = candidates
    const { target, second } = this.positives
    const columns = items.length
    const out = new Float32Array(pairs.length * columns)
    const correction = Float32Array.from(items, (item, j) => (logQ && item >= 0 && corrected(j) ? -this.logQ[item] : 0))
    const limit = maxAgeDays * 86_400
    for (let i = 0; i < pairs.length; i++) {
      const own = this.duplicates[target[pairs[i]]]
      const mark = this.markKnown(pairs[i])
      for (let j = 0; j < columns; j++) {
        const other = items[j]
        const isOld = limit > 0 && j >= queuedFrom && Math.abs(second[candidates.pairs[j]] - second[pairs[i]]) > limit
        const isOut = other < 0 || isOld || this.marks[other] === mark || this.duplicates[other] === own
        out[i * columns + j] = isOut && j !== i ? masked : correction[j]
      }
    }
    return out
  }
}

const none = new Int32Array()
