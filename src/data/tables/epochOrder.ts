import { Random } from '../../base/random.js'
import { type Column, type ColumnStore, columnOf, type RowRange } from './column.js'
import { upTo } from './matrix.js'

/** Ranges of rows that fill a shuffle buffer. */
const pieces = 256

/**
 * Epochs over rows, each in a random order that depends on the seed and the number of the epoch; an incomplete last
 * batch is left out. Steps can be read in any order.
 *
 * If there are more rows than `buffer`, rounded up to whole batches, an epoch goes through one buffer after another:
 * each is filled with ranges from the whole of the rows, and then shuffled.
 */
export class EpochOrder {
  private readonly buffer: number
  private current: { epoch: number; number: number; window: Int32Array; order: Int32Array } | undefined

  private readonly rows: Column<'int32'>

  constructor(
    rows: Column<'int32'> | Int32Array,
    private readonly batch: number,
    private readonly seed: number,
    buffer = rows.length,
  ) {
    this.rows = rows instanceof Int32Array ? columnOf(rows) : rows
    this.buffer = batch * Math.ceil(buffer / batch)
  }

  get stepsPerEpoch(): number {
    return stepsPerEpoch(this.rows.length, this.batch)
  }

  /** The rows of step `step`, counted from 0. */
  at(step: number): Int32Array {
    const { window, positions } = this.positionsAt(step)
    return positions.map((position) => window[position])
  }

  /** The rows of step `step` as positions in the rows of a buffer, `window`: the same array for all of its steps. */
  positionsAt(step: number): { window: Int32Array; positions: Int32Array } {
    const epoch = Math.floor(step / this.stepsPerEpoch)
    const from = (step % this.stepsPerEpoch) * this.batch
    const number = Math.floor(from / this.buffer)
    if (this.current?.epoch !== epoch || this.current.number !== number) {
      const window = this.windowOf(epoch, number)
      const order = upTo(window.length)
      Random.of(this.seed, 'epoch', epoch, ...(number > 0 ? [number] : [])).shuffle(order)
      this.current = { epoch, number, window, order }
    }
    const { window, order } = this.current
    const start = from - number * this.buffer
    return { window, positions: order.slice(start, start + this.batch) }
  }

  /** The rows of a buffer, in the order in which they are read. */
  private windowOf(epoch: number, number: number): Int32Array {
    const { rows, buffer, seed } = this
    if (rows.length <= buffer) return rows.read()
    const size = Math.ceil(buffer / pieces)
    // All whole ranges in random order, then the rest.
    const whole = Math.floor(rows.length / size)
    const ranges = Random.of(seed, 'stretches', epoch).shuffle(upTo(whole))
    const [from, to] = [number * buffer, Math.min(rows.length, (number + 1) * buffer)]
    const window = new Int32Array(to - from)
    for (let at = from; at < to; ) {
      const i = Math.floor(at / size)
      const end = Math.min(to, (i + 1) * size)
      const first = (ranges[i] ?? i) * size + (at - i * size)
      window.set(rows.read(first, first + end - at), at - from)
      at = end
    }
    return window
  }
}

/** The rows `from` (inclusive) to `to` (exclusive): all positives, and a random `share` of the negatives. */
export function keptRows(
  { from, to }: RowRange,
  label: Column<'uint8'>,
  share: number,
  seed: number,
  store: ColumnStore,
): Column<'int32'> {
  const random = Random.of(seed, 'negatives')
  const rows = store.growing('int32', to - from)
  for (const { from: first, values } of label.blocks(from, to)) {
    for (let i = 0; i < values.length; i++) {
      if (share === 1 || values[i] === 1 || random.chance(share)) rows.add(first + i)
    }
  }
  return rows.column()
}

/** Steps of an epoch. */
export const stepsPerEpoch = (rows: number, batch: number) => Math.floor(rows / batch)

/** `rows` in `parts` ranges of nearly equal length; fewer if there are fewer rows. */
export function inParts(rows: Int32Array, parts: number): Int32Array[] {
  const size = Math.ceil(rows.length / parts)
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.subarray(i * size, (i + 1) * size))
}
