import { hash } from '../base/random.js'
import { cast, constant, greaterEqual, mul, select, type Tensor, uniform } from '../ops/index.js'

/** Randomness of a training step; absent when a model is evaluated. */
export interface Dropout {
  /** Dropout rate. */
  rate: number
  /** int32 [2]; differs from step to step. */
  seed: Tensor
}

/** Which elements of `x` are kept, bool in the shape of x; `place` names the location in the model. */
const stays = (x: Tensor, { rate, seed }: Dropout, place: string) =>
  greaterEqual(uniform(x, seed, hash(place) >>> 1), rate)

/** Dropout: sets a random share of `x` to zero and scales up the rest; `place` names the location in the model. */
export function dropout(x: Tensor, options: Dropout | undefined, place: string): Tensor {
  if (!options || options.rate === 0) return x
  return mul(x, mul(cast(stays(x, options, place), 'float32'), 1 / (1 - options.rate)))
}

/** Replaces a random share of `ids` int32 [n] by `substitute`, so that its embedding learns from all ids. */
export function dropIds(ids: Tensor, substitute: number, options: Dropout | undefined, place: string): Tensor {
  if (!options || options.rate === 0) return ids
  return select(stays(cast(ids, 'float32'), options, place), ids, constant(substitute, [], 'int32'))
}
