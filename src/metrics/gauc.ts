import { aucOfSorted } from './auc.js'
import { checkScored, countGroups, type Labels, type Scores, Sum } from './columns.js'

export interface GroupAucs {
  /** Rows of each group [g]. */
  rows: Int32Array
  /** Positive rows of each group [g]. */
  positives: Int32Array
  /** Exact AUC within each group [g]; NaN if a class is missing. */
  auc: Float64Array
}

export interface Gauc {
  /** Impression-weighted mean of the groups' AUCs; NaN if no group has both classes. */
  gauc: number
  /** Number of groups with both classes, which count. */
  groups: number
  /** Rows of these groups. */
  impressions: number
}

/**
 * Group AUC: Σ_u n_u · AUC_u / Σ_u n_u over the groups (users) with both classes, n_u their number of
 * impressions (Zhu et al. 2017, "Optimized Cost per Click in Taobao Display Advertising"; DIN, eq. 7).
 * All rows of a group must be given at once: the mean of per-batch GAUCs is a different number.
 *
 * `labels`, `scores` [n] as in `auc`; `groups` [n] numbered from 0.
 */
export function gauc(labels: Labels, scores: Scores, groups: Int32Array): Gauc {
  const { rows, auc } = aucOfGroups(labels, scores, groups)
  const weighted = new Sum()
  let counted = 0
  let impressions = 0
  for (let group = 0; group < auc.length; group++) {
    if (Number.isNaN(auc[group])) continue
    weighted.add(rows[group] * auc[group])
    impressions += rows[group]
    counted++
  }
  return { gauc: weighted.value / impressions, groups: counted, impressions }
}

/** The exact AUC within each of `groupCount` groups; NaN for groups without rows. */
export function aucOfGroups(
  labels: Labels,
  scores: Scores,
  groups: Int32Array,
  groupCount = countGroups(groups, labels.length),
): GroupAucs {
  checkScored(labels, scores)
  const found = countGroups(groups, labels.length)
  if (found > groupCount) throw new Error(`group ${found - 1}; expected less than ${groupCount}`)

  const rows = new Int32Array(groupCount)
  for (let row = 0; row < groups.length; row++) rows[groups[row]]++
  const starts = new Int32Array(groupCount + 1)
  for (let group = 0; group < groupCount; group++) starts[group + 1] = starts[group] + rows[group]

  // Each group is one block: positives from its front, negatives from its back.
  const split = scores.slice()
  const positives = new Int32Array(groupCount)
  const negatives = new Int32Array(groupCount)
  for (let row = 0; row < groups.length; row++) {
    const group = groups[row]
    if (labels[row] === 1) split[starts[group] + positives[group]++] = scores[row]
    else split[starts[group + 1] - ++negatives[group]] = scores[row]
  }

  const auc = new Float64Array(groupCount).fill(Number.NaN)
  for (let group = 0; group < groupCount; group++) {
    if (positives[group] === 0 || negatives[group] === 0) continue
    const middle = starts[group] + positives[group]
    auc[group] = aucOfSorted(
      split.subarray(starts[group], middle).sort(),
      split.subarray(middle, starts[group + 1]).sort(),
    )
  }
  return { rows, positives, auc }
}
