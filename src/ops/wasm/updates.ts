/** Steps of optimizers over typed arrays, in place. */
import { blockOfRows, touchRows } from './kernels.js'

/** Ids of a dense variable, which is a table of one row. */
export const wholeVariable = Int32Array.of(0)

export interface AdamArrays {
  variable: Float32Array
  m: Float32Array
  v: Float32Array
}

/** Numbers of an Adam step; `rate` and `epsilon` as in `AdamStep`. */
export interface AdamNumbers {
  beta1: number
  beta2: number
  rate: number
  epsilon: number
}

/** Adam on rows of the variable: row r of `gradient` is for row `ids[r]`. All shrink by `decay` first. */
export function adamRows(
  { variable, m, v }: AdamArrays,
  ids: Int32Array,
  gradient: Float32Array,
  { beta1, beta2, rate, epsilon }: AdamNumbers,
  decay = 0,
): void {
  const width = gradient.length / ids.length
  const [fresh1, fresh2, kept] = [1 - beta1, 1 - beta2, 1 - decay]
  for (let r = 0, i = 0; r < ids.length; r++) {
    if (r % blockOfRows === 0 && ids.length > 1) {
      const to = Math.min(r + blockOfRows, ids.length)
      for (const table of [variable, m, v]) touchRows(table, ids, r, to, width)
    }
    const end = (ids[r] + 1) * width
    for (let at = ids[r] * width; at < end; at++) {
      const g = gradient[i++]
      // Kept in registers: reading them again from the arrays would stall.
      const mean = beta1 * m[at] + fresh1 * g
      const square = beta2 * v[at] + fresh2 * g * g
      m[at] = mean
      v[at] = square
      variable[at] = variable[at] * kept - (rate * mean) / (Math.sqrt(square) + epsilon)
    }
  }
}

/** Gradient descent on a whole variable that shrinks by `decay` first; see the operation `sgd`. */
export function sgd(
  variable: Float32Array,
  velocity: Float32Array | undefined,
  gradient: Float32Array,
  { momentum, nesterov, rate, decay }: { momentum: number; nesterov: boolean; rate: number; decay: number },
): void {
  for (let i = 0; i < gradient.length; i++) {
    let direction = gradient[i]
    if (velocity) {
      velocity[i] = momentum * velocity[i] + gradient[i]
      direction = nesterov ? gradient[i] + momentum * velocity[i] : velocity[i]
    }
    variable[i] = variable[i] * (1 - decay) - rate * direction
  }
}

interface AdagradNumbers {
  rate: number
  epsilon: number
}

/** Adagrad on rows of the variable: row r of `gradient` is for row `ids[r]`. All shrink by `decay` first. */
export function adagradRows(
  variable: Float32Array,
  accumulator: Float32Array,
  ids: Int32Array,
  gradient: Float32Array,
  { rate, epsilon }: AdagradNumbers,
  decay = 0,
): void {
  const width = gradient.length / ids.length
  for (let r = 0, i = 0; r < ids.length; r++) {
    for (let at = ids[r] * width; at < (ids[r] + 1) * width; at++, i++) {
      accumulator[at] += gradient[i] ** 2
      variable[at] = variable[at] * (1 - decay) - (rate * gradient[i]) / (Math.sqrt(accumulator[at]) + epsilon)
    }
  }
}

/** The same with an accumulator that has one number for each row. */
export function rowwiseAdagradRows(
  variable: Float32Array,
  accumulator: Float32Array,
  ids: Int32Array,
  gradient: Float32Array,
  { rate, epsilon }: AdagradNumbers,
): void {
  const width = gradient.length / ids.length
  for (let r = 0; r < ids.length; r++) {
    let squares = 0
    for (let i = r * width; i < (r + 1) * width; i++) squares += gradient[i] * gradient[i]
    accumulator[ids[r]] += squares / width
    const step = rate / (Math.sqrt(accumulator[ids[r]]) + epsilon)
    for (let i = 0; i < width; i++) variable[ids[r] * width + i] -= step * gradient[r * width + i]
  }
}

/** variable ← keep·variable + (1 − keep)·source. */
export function emaUpdate(variable: Float32Array, source: Float32Array, keep: number): void {
  for (let i = 0; i < variable.length; i++) variable[i] -= (1 - keep) * (variable[i] - source[i])
}

/** Distinct `ids` in order of appearance, after 0, which is always first; `slots` gets the position of each id. */
export function distinctIds(ids: Int32Array, slots: Int32Array): Int32Array {
  const found = new Slots(ids.length + 1)
  found.of(0)
  for (let j = 0; j < ids.length; j++) slots[j] = found.of(ids[j])
  return found.ids()
}

/** Adds `l2` times the rows `ids` of the table to the rows of a gradient. */
export function addDecay(rows: Float32Array, ids: Int32Array, table: Float32Array, l2: number): void {
  if (l2 === 0) return
  const width = rows.length / ids.length
  for (let slot = 0, at = 0; slot < ids.length; slot++) {
    const from = ids[slot] * width
    for (let i = from; i < from + width; i++) rows[at++] += l2 * table[i]
  }
}

/** Assigns consecutive numbers from 0 to distinct ids: a hash table without an object per id, unlike a Map. */
class Slots {
  private count = 0
  private readonly list: Int32Array
  /** Hash table of slot + 1; 0: empty. At most half full. */
  private readonly places: Int32Array

  constructor(most: number) {
    this.list = new Int32Array(most)
    this.places = new Int32Array(2 ** (32 - Math.clz32(2 * most)))
  }

  of(id: number): number {
    const { places, list } = this
    const last = places.length - 1
    for (let at = Math.imul(id, 0x9e3779b1) >>> 7; ; at++) {
      const slot = places[at & last] - 1
      if (slot >= 0 && list[slot] !== id) continue
      if (slot >= 0) return slot
      list[this.count] = id
      places[at & last] = ++this.count
      return this.count - 1
    }
  }

  ids(): Int32Array {
    return this.list.subarray(0, this.count)
  }
}
