/** Which items must not count as negatives of an anchor, and which make hard ones. */
import type { Random } from '../random.js'
import type { Positives } from './positives.js'

/** Added to a logit, this takes it out of the softmax. */
const masked = -1e9

/** What is known of the training pairs. */
export class Negatives {
  /** Items that training pairs give to an anchor, by kind and anchor. */
  private readonly chosenBy = new Map<number, Set<number>>()
  private readonly byCategory = new Map<number, number[]>()
  /** ln(share of an item among the positives · number of such items): 0 for an item of average frequency. */
  readonly logQ: Float32Array

  constructor(
    private readonly positives: Positives,
    private readonly category: Int32Array,
    /** Items of equal title have equal numbers. */
    private readonly titleGroup: Int32Array,
  ) {
    const items = category.length
    const counts = new Float32Array(items)
    let total = 0
    for (let i = 0; i < positives.count; i++) {
      if (positives.part[i] !== 0) continue
      const key = this.key(i)
      this.chosenBy.set(key, (this.chosenBy.get(key) ?? new Set()).add(positives.item[i]))
      counts[positives.item[i]]++
      total++
    }
    const distinct = counts.reduce((n, c) => n + (c > 0 ? 1 : 0), 0)
    this.logQ = counts.map((c) => (c > 0 ? Math.log((c / total) * distinct) : 0))
    category.forEach((c, item) => {
      if (c < 0) return
      const others = this.byCategory.get(c)
      if (others) others.push(item)
      else this.byCategory.set(c, [item])
    })
  }

  private key(pair: number): number {
    return this.positives.kind[pair] * 2 ** 32 + this.positives.anchor[pair]
  }

  /** Whether `item` must not count as a negative of the pair's anchor: it is the chosen item, one of equal title, or known to be chosen too. */
  isPositive(pair: number, item: number): boolean {
    const own = this.positives.item[pair]
    if (item === own || this.titleGroup[item] === this.titleGroup[own]) return true
    return this.chosenBy.get(this.key(pair))?.has(item) ?? false
  }

  /** A hard negative of a pair: shown in the same request and not taken, else of the same category; −1 where there is none. */
  hard(pair: number, random: Random): number {
    const { rejected, request, item } = this.positives
    const r = request[pair]
    const shown = r < 0 ? new Int32Array() : rejected.items.subarray(rejected.offsets[r], rejected.offsets[r + 1])
    for (const pool of [shown, this.byCategory.get(this.category[item[pair]]) ?? []]) {
      // A few draws: most of a pool are no positives.
      for (let draw = 0; draw < 4 && pool.length > 0; draw++) {
        const candidate = pool[random.int(pool.length)]
        if (!this.isPositive(pair, candidate)) return candidate
      }
    }
    return -1
  }

  /**
   * Additive mask [pairs, candidates]: −1e9 where a candidate (an item, −1: an empty place) is no
   * negative of the pair, but for the pair's own place on the diagonal; elsewhere −logQ if asked for.
   */
  bias(
    pairs: Int32Array,
    candidates: Int32Array,
    { logQ, corrected }: { logQ: boolean; corrected: (column: number) => boolean },
  ) {
    const columns = candidates.length
    const out = new Float32Array(pairs.length * columns)
    const correction = Float32Array.from(candidates, (item, j) =>
      logQ && item >= 0 && corrected(j) ? -this.logQ[item] : 0,
    )
    for (let i = 0; i < pairs.length; i++) {
      // As `isPositive`, with what belongs to the row looked up once.
      const own = this.positives.item[pairs[i]]
      const group = this.titleGroup[own]
      const known = this.chosenBy.get(this.key(pairs[i]))
      for (let j = 0; j < columns; j++) {
        const item = candidates[j]
        const isPositive = item < 0 || this.titleGroup[item] === group || (known?.has(item) ?? false)
        out[i * columns + j] = isPositive && j !== i ? masked : correction[j]
      }
    }
    return out
  }
}
