import { buckets } from './buckets.js'
import { checkProbabilities, type Labels, type Scores, Sum } from './columns.js'

/** Keeps the logarithm finite. The greatest float32 below 1 is 1 − 6e-8, so a smaller ε would have no effect. */
export const LOG_LOSS_EPSILON = 1e-7

/** Default number of bins: 5 % of the rows in each make its observed rate stable. */
export const DEFAULT_BINS = 20

/**
 * Mean binary cross-entropy −[y ln p + (1 − y) ln(1 − p)] in nats, p clipped to [ε, 1 − ε] with
 * ε = 1e-7. `labels`, `probabilities` [n]; NaN without rows; throws on p outside [0, 1].
 */
export function logLoss(labels: Labels, probabilities: Scores): number {
  checkProbabilities(labels, probabilities)
  const sum = new Sum()
  for (let row = 0; row < probabilities.length; row++) {
    const p = Math.min(Math.max(probabilities[row], LOG_LOSS_EPSILON), 1 - LOG_LOSS_EPSILON)
    sum.add(labels[row] === 1 ? -Math.log(p) : -Math.log1p(-p))
  }
  return sum.value / probabilities.length
}

export interface CalibrationBin {
  /** Mean predicted probability of the bin's rows. */
  predicted: number
  /** Share of positives among them. */
  observed: number
  /** Rows in the bin. */
  count: number
}

export interface Calibration {
  /** The reliability curve, lowest predictions first, without empty bins. */
  curve: CalibrationBin[]
  /** Σ_b count_b / n · |predicted_b − observed_b|; NaN without rows. */
  ece: number
  /** Σ p / Σ y: 1 if calibrated, above 1 if clicks are over-predicted; Infinity without positives. */
  predictedOverObserved: number
}

/**
 * Reliability of predicted probabilities over equal-mass bins: each has n / bins rows, and equal
 * predictions share a bin (see `buckets`), so the result does not depend on the order of rows.
 *
 * The standard ECE (Guo et al. 2017, eq. 3) has bins of equal width; at a click-through rate of a
 * few percent nearly all rows would be in the first bin, where errors cancel out. Bins of equal mass
 * resolve the range of the predictions (adaptive calibration error: Nixon et al. 2019). The values
 * of the two definitions are not comparable.
 */
export function calibration(labels: Labels, probabilities: Scores, bins = DEFAULT_BINS): Calibration {
  checkProbabilities(labels, probabilities)
  const { bucketOfRow, rows } = buckets(probabilities, bins)
  const sums = Array.from({ length: bins }, () => new Sum()) // over the bin's rows
  const observed = new Float64Array(bins)
  for (let row = 0; row < bucketOfRow.length; row++) {
    sums[bucketOfRow[row]].add(probabilities[row])
    observed[bucketOfRow[row]] += labels[row]
  }

  const predicted = sums.map(({ value }) => value)
  const curve: CalibrationBin[] = []
  let gaps = 0
  let allPredicted = 0
  let allObserved = 0
  for (let bin = 0; bin < bins; bin++) {
    gaps += Math.abs(predicted[bin] - observed[bin])
    allPredicted += predicted[bin]
    allObserved += observed[bin]
    const count = rows[bin]
    if (count > 0) curve.push({ predicted: predicted[bin] / count, observed: observed[bin] / count, count })
  }
  return { curve, ece: gaps / bucketOfRow.length, predictedOverObserved: allPredicted / allObserved }
}
