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
    return stepsPerEpoch(this.rows.length, this.batch)
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

/** The rows `from` (inclusive) to `to` (exclusive): all that have the label, and a random `share` of the others. */
export function keptRows({ from, to }: { from: number; to: number }, label: Uint8Array, share: number, seed: number) {
  const random = Random.of(seed, 'negatives')
  const rows = new Int32Array(to - from)
  let count = 0
  for (let row = from; row < to; row++) if (share === 1 || label[row] === 1 || random.chance(share)) rows[count++] = row
  return rows.subarray(0, count)
}

/** Steps of a pass over `rows` rows. */
export const stepsPerEpoch = (rows: number, batch: number) => Math.floor(rows / batch)

/** `rows` in `parts` runs of nearly equal length; fewer where there are fewer rows. */
export function inParts(rows: Int32Array, parts: number): Int32Array[] {
  const size = Math.ceil(rows.length / parts)
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.subarray(i * size, (i + 1) * size))
}
