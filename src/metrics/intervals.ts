import { type BootstrapOptions, type Interval, userBootstrap } from './bootstrap.js'
import type { Labels, Scores } from './columns.js'
import { aucOfGroups } from './gauc.js'
import { rankRows, weightedAuc, weightedGauc } from './weighted.js'

export interface Difference {
  /** Metric of A minus metric of B, on the data as they are. */
  difference: number
  low: number
  high: number
  /** Resamples that the interval rests on. */
  samples: number
}

/** A metric of resampled users: the times that each was drawn [users] → its value. */
type Resampled = (userWeights: Int32Array) => number

/** AUC and its user-level bootstrap interval. `labels`, `scores`, `users` [n]. */
export function aucInterval(
  labels: Labels,
  scores: Scores,
  users: Int32Array,
  options: BootstrapOptions = {},
): Interval {
  return userBootstrap(aucOf(labels, scores, users), users, options)
}

/** GAUC and its user-level bootstrap interval. `labels`, `scores`, `users` [n]. */
export function gaucInterval(
  labels: Labels,
  scores: Scores,
  users: Int32Array,
  options: BootstrapOptions = {},
): Interval {
  return userBootstrap(gaucOf(labels, scores, users), users, options)
}

/**
 * AUC(A) − AUC(B) of two models on the same rows, both measured in every resample: what the users
 * drawn do to both cancels out, so that the interval is far narrower than the two models' own ones
 * suggest. An interval without 0 is a difference at the chosen confidence.
 */
export function pairedAucDifference(
  labels: Labels,
  scoresA: Scores,
  scoresB: Scores,
  users: Int32Array,
  options: BootstrapOptions = {},
): Difference {
  return pairedDifference(aucOf(labels, scoresA, users), aucOf(labels, scoresB, users), users, options)
}

/** As `pairedAucDifference`, for GAUC(A) − GAUC(B). */
export function pairedGaucDifference(
  labels: Labels,
  scoresA: Scores,
  scoresB: Scores,
  users: Int32Array,
  options: BootstrapOptions = {},
): Difference {
  return pairedDifference(gaucOf(labels, scoresA, users), gaucOf(labels, scoresB, users), users, options)
}

function aucOf(labels: Labels, scores: Scores, users: Int32Array): Resampled {
  const ranked = rankRows(labels, scores, users)
  return (userWeights) => weightedAuc(ranked, userWeights)
}

function gaucOf(labels: Labels, scores: Scores, users: Int32Array): Resampled {
  const perUser = aucOfGroups(labels, scores, users)
  return (userWeights) => weightedGauc(perUser, userWeights)
}

function pairedDifference(a: Resampled, b: Resampled, users: Int32Array, options: BootstrapOptions): Difference {
  const { value, low, high, samples } = userBootstrap((weights) => a(weights) - b(weights), users, options)
  return { difference: value, low, high, samples }
}
