import { Random } from '../base/random.js'
import { countGroups } from './columns.js'

export const DEFAULT_SAMPLES = 1000
export const DEFAULT_CONFIDENCE = 0.95

export interface BootstrapOptions {
  /** Resamples; default 1000. */
  samples?: number
  /** Seed of the resampling; default 0. The same seed gives the same interval. */
  seed?: number
  /** Confidence level of the interval; default 0.95. */
  confidence?: number
}

export interface Interval {
  /** The metric of the data themselves: every user once. */
  value: number
  low: number
  high: number
  /** Resamples with a defined metric, which the interval is computed from. */
  samples: number
}

/**
 * Percentile bootstrap over *users*: rows of one user are not independent, so whole users are drawn
 * with replacement, as many as there are (Efron & Tibshirani 1993, ch. 13).
 *
 * `metric` gets a resample as the number of times each user was drawn [highest group number + 1],
 * which is the integer weight of all rows of the user; nothing is copied or sorted again. The array
 * is reused: `metric` must not keep it. `groups` [n] is the user of each row, numbered from 0; only
 * users with rows are drawn.
 *
 * Resamples with a NaN metric (one class only) are left out; `samples` counts the others. Without
 * any, the bounds are NaN. With a single user every resample equals the data: the interval has no
 * width and no meaning.
 */
export function userBootstrap(
  metric: (userWeights: Int32Array) => number,
  groups: Int32Array,
  options: BootstrapOptions = {},
): Interval {
  const { samples = DEFAULT_SAMPLES, seed = 0, confidence = DEFAULT_CONFIDENCE } = options
  if (!Number.isInteger(samples) || samples < 1) throw new Error(`samples ${samples}; expected an integer from 1`)
  if (!(confidence > 0 && confidence < 1)) throw new Error(`confidence ${confidence}; expected between 0 and 1`)

  const weights = new Int32Array(countGroups(groups, groups.length))
  for (const group of groups) weights[group] = 1
  const users = Int32Array.from(weights.keys()).filter((group) => weights[group] === 1)
  const value = metric(weights)

  const random = Random.of(seed)
  const values = new Float64Array(samples)
  let defined = 0
  for (let sample = 0; sample < samples; sample++) {
    weights.fill(0)
    for (let draw = 0; draw < users.length; draw++) weights[users[random.int(users.length)]]++
    const resampled = metric(weights)
    if (!Number.isNaN(resampled)) values[defined++] = resampled
  }

  const sorted = values.subarray(0, defined).sort()
  const tail = (1 - confidence) / 2
  return { value, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail), samples: defined }
}

/** Quantile of ascending values, interpolated linearly (Hyndman & Fan 1996, type 7); NaN without values. */
export function quantile(sorted: Float64Array, q: number): number {
  if (sorted.length === 0) return Number.NaN
  const position = q * (sorted.length - 1)
  const below = Math.floor(position)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (position - below) * (sorted[above] - sorted[below])
}
