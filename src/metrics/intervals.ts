import { type BootstrapOptions, DEFAULT_CONFIDENCE, type Interval, userBootstrap } from './bootstrap.js'
import { LOG_LOSS_EPSILON } from './calibration.js'
import { checkProbabilities, countGroups, type Labels, type Scores } from './columns.js'
import { aucOfGroups } from './gauc.js'
import { studentQuantile } from './student.js'
import { rankRows, weightedAuc, weightedGauc } from './weighted.js'

export interface Difference {
  /** Metric of A minus metric of B on the data themselves. */
  difference: number
  low: number
  high: number
  /** Number of resamples, or of runs, that the interval is computed from. */
  samples: number
}

/** A metric of resampled users: the number of times each was drawn [users] → its value. */
type Resampled = (userWeights: Int32Array) => number

/** Metrics that can be resampled by user; log loss needs probabilities, the others any scores. */
const resampled = { auc: aucOf, gauc: gaucOf, logloss: logLossOf }
export type ResampledMetric = keyof typeof resampled

/**
 * A metric with its bootstrap interval over users. `labels`, `users` [n]; `scores` [n] of each run of a model, over
 * which the metric is averaged.
 */
export function metricInterval(
  metric: ResampledMetric,
  labels: Labels,
  scores: readonly Scores[],
  users: Int32Array,
  options: BootstrapOptions = {},
): Interval {
  return userBootstrap(meanOf(metric, labels, scores, users), users, options)
}

/**
 * Metric of A minus metric of B, two models on the same rows, both measured in every resample: effects of the sampled
 * users on both cancel out, so the interval is much narrower than the intervals of the two models. An interval without
 * 0 is a significant difference at the chosen confidence. `scoresA`, `scoresB`: [n] of each run of a model, over which
 * the metric is averaged.
 */
export function pairedDifference(
  metric: ResampledMetric,
  labels: Labels,
  scoresA: readonly Scores[],
  scoresB: readonly Scores[],
  users: Int32Array,
  options: BootstrapOptions = {},
): Difference {
  const a = meanOf(metric, labels, scoresA, users)
  const b = meanOf(metric, labels, scoresB, users)
  const { value, low, high, samples } = userBootstrap((weights) => a(weights) - b(weights), users, options)
  return { difference: value, low, high, samples }
}

function meanOf(metric: ResampledMetric, labels: Labels, scores: readonly Scores[], users: Int32Array): Resampled {
  const each = scores.map((ofRun) => resampled[metric](labels, ofRun, users))
  return (userWeights) => each.reduce((sum, value) => sum + value(userWeights), 0) / each.length
}

function aucOf(labels: Labels, scores: Scores, users: Int32Array): Resampled {
  const ranked = rankRows(labels, scores, users)
  return (userWeights) => weightedAuc(ranked, userWeights)
}

function gaucOf(labels: Labels, scores: Scores, users: Int32Array): Resampled {
  const perUser = aucOfGroups(labels, scores, users)
  return (userWeights) => weightedGauc(perUser, userWeights)
}

function logLossOf(labels: Labels, scores: Scores, users: Int32Array): Resampled {
  checkProbabilities(labels, scores)
  const count = countGroups(users, labels.length)
  const rows = new Int32Array(count)
  const losses = new Float64Array(count) // sums over the user's rows
  for (let row = 0; row < users.length; row++) {
    const p = Math.min(Math.max(scores[row], LOG_LOSS_EPSILON), 1 - LOG_LOSS_EPSILON)
    losses[users[row]] -= labels[row] === 1 ? Math.log(p) : Math.log1p(-p)
    rows[users[row]]++
  }
  return (userWeights) => {
    let [loss, drawn] = [0, 0]
    for (let user = 0; user < count; user++) {
      loss += userWeights[user] * losses[user]
      drawn += userWeights[user] * rows[user]
    }
    return loss / drawn
  }
}

/** Mean of a few values, such as one per seed, with the 95 % t interval of the mean; NaN bounds for a single value. */
export function meanInterval(values: readonly number[]): Interval {
  const n = values.length
  const value = values.reduce((a, b) => a + b, 0) / n
  const variance = values.reduce((sum, x) => sum + (x - value) ** 2, 0) / (n - 1)
  const half = studentQuantile(DEFAULT_CONFIDENCE, n - 1) * Math.sqrt(variance / n)
  return { value, low: value - half, high: value + half, samples: n }
}
