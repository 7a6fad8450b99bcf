import { Random } from '../random.js'

/**
 * Rows passed over again and again, each time in a new random order that comes from the seed and the
 * number of the pass; an incomplete last batch is left out. Any step can be asked for, in any order.
 */
export class EpochOrder {
  private epoch = -1
  private order: Int32Array

  constructor(
    private readonly rows: Int32Array,
    private readonly batch: number,
    private readonly seed: number,
  ) {
    this.order = rows
  }

  get stepsPerEpoch(): number {
    return Math.floor(this.rows.length / this.batch)
  }

  /** The rows of step `step`, counted from 0. */
  at(step: number): Int32Array {
    const epoch = Math.floor(step / this.stepsPerEpoch)
    if (epoch !== this.epoch) {
      this.epoch = epoch
      this.order = Random.of(this.seed, 'epoch', epoch).shuffle(this.rows.slice())
    }
    const from = (step % this.stepsPerEpoch) * this.batch
    return this.order.slice(from, from + this.batch)
  }
}

/** `rows` in `parts` runs of nearly equal length; fewer where there are fewer rows. */
export function inParts(rows: Int32Array, parts: number): Int32Array[] {
  const size = Math.ceil(rows.length / parts)
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.subarray(i * size, (i + 1) * size))
}
