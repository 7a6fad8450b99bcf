// Ranks count from 0, the best one; ties give halves (see `ranksOfTargets`).

/**
 * Recall at each k of `ks`: the share of ranks ≤ k − 1. A target tied with others has the middle of
 * their ranks, so a pair tied at the top is not a hit for k = 1. NaN without ranks. `ranks` [q].
 */
export function recallAtK(ranks: ArrayLike<number>, ks: readonly number[]): number[] {
  return ks.map((k) => {
    if (!Number.isInteger(k) || k < 1) throw new Error(`recall at ${k}; expected an integer from 1`)
    let hits = 0
    for (let query = 0; query < ranks.length; query++) if (ranks[query] <= k - 1) hits++
    return hits / ranks.length
  })
}

/** Median rank, counted from 0; NaN without ranks. */
export function medianRank(ranks: ArrayLike<number>): number {
  const sorted = Float64Array.from(ranks).sort()
  if (sorted.length === 0) return Number.NaN
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Mean of 1 / (rank + 1), in (0, 1]; NaN without ranks. */
export function meanReciprocalRank(ranks: ArrayLike<number>): number {
  let sum = 0
  for (let query = 0; query < ranks.length; query++) sum += 1 / (ranks[query] + 1)
  return sum / ranks.length
}
