/**
 * The pair of each place of the queue. The queue is first in, first out, and is filled in whole steps, so that its
 * content follows from the order of the pairs. Only its vectors need to be saved.
 */
export class QueuePlaces {
  /** Pair of each place, −1 where it is empty. */
  readonly pairs: Int32Array
  /** Step that filled each place. */
  readonly filledAt: Int32Array
  private next = 0

  /** `size` places, a whole number of steps of `batch` pairs; `pairsOf` gives the pairs of a step. */
  constructor(
    readonly size: number,
    private readonly batch: number,
    private readonly pairsOf: (step: number) => Int32Array,
  ) {
    this.pairs = new Int32Array(size).fill(-1)
    this.filledAt = new Int32Array(size).fill(-1)
  }

  /** Sets the places to their content when step `step` begins. */
  seek(step: number): this {
    if (this.size === 0) return this
    const stepsInQueue = this.size / this.batch
    if (step < this.next) {
      this.pairs.fill(-1)
      this.filledAt.fill(-1)
      this.next = 0
    }
    for (let s = Math.max(this.next, step - stepsInQueue); s < step; s++) {
      const from = (s % stepsInQueue) * this.batch
      this.pairs.set(this.pairsOf(s), from)
      this.filledAt.fill(s, from, from + this.batch)
    }
    this.next = step
    return this
  }

  /** Pairs of the places when step `step` begins; −1 if empty or older than `maxAge` steps (0: no limit). */
  youngAt(step: number, maxAge: number): Int32Array {
    const { pairs, filledAt } = this.seek(step)
    return pairs.map((pair, place) => (maxAge > 0 && step - filledAt[place] > maxAge ? -1 : pair))
  }

  /** Places for the targets of step `step` [batch]. */
  placesOf(step: number): Int32Array {
    const from = this.size > 0 ? (step * this.batch) % this.size : 0
    return Int32Array.from({ length: this.batch }, (_, i) => (this.size > 0 ? from + i : 0))
  }
}
