/** Which items must not count as negatives of an anchor, and which make hard ones. */
import type { Random } from '../../base/random.js'
import { type ItemLists, listOf } from './itemLists.js'
import { type Positives, parts } from './positives.js'

/** Added to a logit, this takes it out of the softmax. */
const masked = -1e9

/** Pairs without the texts and pictures that users asked with. */
export type TrainingPairs = Omit<Positives, 'queryImages' | 'queryTexts'>

/** What a row of a step is held against, its own items first. */
export interface Candidates {
  /** Items, −1: an empty place [columns]. */
  items: Int32Array
  /** Pair that a queued item came with; of places before `queuedFrom` nothing is read. */
  pairs: Int32Array
  /** First column of the queue. */
  queuedFrom: number
}

export interface BiasOptions {
  logQ: boolean
  /** Whether a column's item came as often as it is chosen. */
  corrected: (column: number) => boolean
  /** Days in the log that may lie between a queued item's event and the row's; 0: any number. */
  maxAgeDays: number
}

/** What is known of the training pairs. */
export class Negatives {
  /** Items that training pairs give to an anchor; lists are numbered as `anchorOf` says. */
  private readonly chosenBy: ItemLists
  private readonly firstOfKind: readonly number[]
  private readonly byCategory = new Map<number, number[]>()
  /** The row that an item was last found to be a positive of. */
  private readonly marks: Int32Array
  private row = 0
  /** ln(share of an item among the positives · number of such items): 0 for an item of average frequency. */
  readonly logQ: Float32Array
  constructor(
    private readonly positives: TrainingPairs,
    private readonly category: Int32Array,
    /** Equal numbers for items that must not be negatives of each other, such as those of equal title [items]. */
    private readonly alike: Int32Array,
    /** Items found near each item by the vectors of training. */
    private readonly mined?: ItemLists,
  ) {
    const items = category.length
    const counts = new Float32Array(items)
    let total = 0
    for (let i = 0; i < positives.count; i++) {
      if (positives.part[i] !== parts.train) continue
      counts[positives.item[i]]++
      total++
    }
    const anchors = [0, 0, items]
    for (let i = 0; i < positives.count; i++)
      anchors[positives.kind[i]] = Math.max(anchors[positives.kind[i]], positives.anchor[i] + 1)
    this.firstOfKind = [0, anchors[0], anchors[0] + anchors[1]]
    this.chosenBy = this.listChosen(this.firstOfKind[2] + anchors[2])
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

  /** Number of a pair's anchor among the anchors of all kinds. */
  private anchorOf(pair: number): number {
    return this.firstOfKind[this.positives.kind[pair]] + this.positives.anchor[pair]
  }

  private listChosen(anchors: number): ItemLists {
    const { count, part, item } = this.positives
    const offsets = new Int32Array(anchors + 1)
    for (let i = 0; i < count; i++) if (part[i] === parts.train) offsets[this.anchorOf(i) + 1]++
    for (let a = 0; a < anchors; a++) offsets[a + 1] += offsets[a]
    const next = offsets.slice()
    const items = new Int32Array(offsets[anchors])
    for (let i = 0; i < count; i++) if (part[i] === parts.train) items[next[this.anchorOf(i)]++] = item[i]
    return { items, offsets }
  }

  /** Marks what training knows to be chosen with the pair's anchor or in its session; returns the mark. */
  private markKnown(pair: number): number {
    const { inSession, session } = this.positives
    const row = ++this.row
    for (const item of listOf(this.chosenBy, this.anchorOf(pair))) this.marks[item] = row
    if (session[pair] >= 0) for (const item of listOf(inSession, session[pair])) this.marks[item] = row
    return row
  }

  /**
   * Whether `item` must not count as a negative of the pair's anchor: it is the chosen item or like it, or known to
   * be chosen with this anchor or in this session.
   */
  isPositive(pair: number, item: number): boolean {
    const mark = this.markKnown(pair)
    return this.marks[item] === mark || this.alike[item] === this.alike[this.positives.item[pair]]
  }

  /**
   * A hard negative of a pair: found near its item by the vectors of training, where these were mined, or shown in
   * the same request and not taken; else of the same category; −1 where there is none.
   */
  hard(pair: number, random: Random): number {
    const { rejected, request, item } = this.positives
    const shown = request[pair] < 0 ? nothing : listOf(rejected, request[pair])
    const near = this.mined ? listOf(this.mined, item[pair]) : nothing
    const sameCategory = this.byCategory.get(this.category[item[pair]]) ?? nothing
    const first = near.length > 0 && (shown.length === 0 || random.chance(0.5)) ? [near, shown] : [shown, near]
    for (const pool of [...first, sameCategory]) {
      // A few draws: most of a pool are no positives.
      for (let draw = 0; draw < 4 && pool.length > 0; draw++) {
        const candidate = pool[random.int(pool.length)]
        if (!this.isPositive(pair, candidate)) return candidate
      }
    }
    return -1
  }

  /**
   * Additive mask [pairs, columns]: −1e9 where a candidate is no negative of the pair, but for the pair's own
   * place on the diagonal; elsewhere −logQ if asked for.
   */
  bias(pairs: Int32Array, candidates: Candidates, { logQ, corrected, maxAgeDays }: BiasOptions): Float32Array {
    const { items, queuedFrom } = candidates
    const { item, second } = this.positives
    const columns = items.length
    const out = new Float32Array(pairs.length * columns)
    const correction = Float32Array.from(items, (item, j) => (logQ && item >= 0 && corrected(j) ? -this.logQ[item] : 0))
    const limit = maxAgeDays * 86_400
    for (let i = 0; i < pairs.length; i++) {
      const own = this.alike[item[pairs[i]]]
      const mark = this.markKnown(pairs[i])
      for (let j = 0; j < columns; j++) {
        const other = items[j]
        const isOld = limit > 0 && j >= queuedFrom && Math.abs(second[candidates.pairs[j]] - second[pairs[i]]) > limit
        const isOut = other < 0 || isOld || this.marks[other] === mark || this.alike[other] === own
        out[i * columns + j] = isOut && j !== i ? masked : correction[j]
      }
    }
    return out
  }
}

const nothing = new Int32Array()
