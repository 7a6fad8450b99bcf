import { hash } from '../base/random.js'
import { cast, constant, greaterEqual, mul, select, type Tensor, uniform } from '../ops/index.js'

/** Randomness of a training step; absent when a model is evaluated. */
export interface Dropout {
  /** Share of units that rest. */
  rate: number
  /** int32 [2], another one at each step. */
  seed: Tensor
}

/** Which elements of `x` stay, as booleans; `place` names where in the model this is. */
const stays = (x: Tensor, { rate, seed }: Dropout, place: string) =>
  greaterEqual(uniform(x, seed, hash(place) >>> 1), rate)

/** Sets a random share of `x` to zero and scales up the rest; `place` names where in the model this is. */
export function dropout(x: Tensor, options: Dropout | undefined, place: string): Tensor {
  if (!options || options.rate === 0) return x
  return mul(x, mul(cast(stays(x, options, place), 'float32'), 1 / (1 - options.rate)))
}

/** Replaces a random share of `ids` int32 [n] by `stand`, so that its embedding is learned from all of them. */
export function dropIds(ids: Tensor, stand: number, options: Dropout | undefined, place: string): Tensor {
  if (!options || options.rate === 0) return ids
  return select(stays(cast(ids, 'float32'), options, place), ids, constant(stand, [], 'int32'))
}
