import { sortedByClass } from './auc.js'
import { checkScored, type Labels, type Scores } from './columns.js'

/** Enough for a curve that looks smooth. */
export const ROC_POINTS = 200

/**
 * The ROC curve as points (false positive rate, true positive rate) from (0, 0) to (1, 1); rows with
 * equal scores share a threshold. A long curve is reduced to `points`, evenly spread over the
 * thresholds. `labels` [n] of 0/1, `scores` [n]; no points without rows of both classes.
 */
export function rocCurve(labels: Labels, scores: Scores, points = ROC_POINTS): [number, number][] {
  checkScored(labels, scores)
  const { positives, negatives } = sortedByClass(labels, scores)
  const [p, n] = [positives.length, negatives.length]
  if (p === 0 || n === 0) return []
  const curve: [number, number][] = [[0, 0]]
  for (let i = p, j = n; i > 0 || j > 0; ) {
    const score = Math.max(i > 0 ? positives[i - 1] : -Infinity, j > 0 ? negatives[j - 1] : -Infinity)
    while (i > 0 && positives[i - 1] === score) i--
    while (j > 0 && negatives[j - 1] === score) j--
    curve.push([(n - j) / n, (p - i) / p])
  }
  if (curve.length <= points) return curve
  return Array.from({ length: points }, (_, i) => curve[Math.round((i * (curve.length - 1)) / (points - 1))])
}
