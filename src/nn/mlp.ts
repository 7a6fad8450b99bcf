import { cast, greaterEqual, mul, relu, type Tensor, uniform } from '../ops/index.js'
import { hash } from '../random.js'
import { linear } from './layers.js'
import type { Parameters } from './parameters.js'

/** Randomness of a training step; absent when a model is evaluated. */
export interface Dropout {
  /** Share of units that rest. */
  rate: number
  /** int32 [2], another one at each step. */
  seed: Tensor
}

/** Sets a random share of `x` to zero and scales up the rest; `place` names where in the model this is. */
export function dropout(x: Tensor, options: Dropout | undefined, place: string): Tensor {
  if (!options || options.rate === 0) return x
  const stays = cast(greaterEqual(uniform(x, options.seed, hash(place) >>> 1), options.rate), 'float32')
  return mul(x, mul(stays, 1 / (1 - options.rate)))
}

/** Hidden layers with ReLU and dropout, then one number for each row: [B, D] → [B, 1]. */
export function mlpHead(p: Parameters, x: Tensor, hidden: readonly number[], drop: Dropout | undefined): Tensor {
  hidden.forEach((size, i) => {
    const std = Math.sqrt(2 / x.shape[1])
    x = dropout(relu(linear(p.scope(i), x, size, { std })), drop, p.scope(i).prefix)
  })
  return linear(p.scope('out'), x, 1, { std: Math.sqrt(1 / x.shape[1]) })
}
