import { checkLength, checkScored, type Labels, type Scores } from './columns.js'
import type { GroupAucs } from './gauc.js'
import { ascendingOrder } from './order.js'

/** Rows in ascending order of score, sorted once for the AUC of all resamples. */
export interface RankedRows {
  /** 0 or 1 [n]. */
  labels: Uint8Array
  /** User of the row [n]. */
  users: Int32Array
  /** 1 for the last row of each run of equal scores [n]. */
  tieEnds: Uint8Array
}

/** Sorts the rows by score; `labels`, `scores`, `users` [n]. */
export function rankRows(labels: Labels, scores: Scores, users: Int32Array): RankedRows {
  checkScored(labels, scores)
  checkLength('users', users.length, labels.length)
  const order = ascendingOrder(scores)
  const n = order.length
  const ranked = { labels: new Uint8Array(n), users: new Int32Array(n), tieEnds: new Uint8Array(n) }
  for (let rank = 0; rank < n; rank++) {
    const row = order[rank]
    ranked.labels[rank] = labels[row]
    ranked.users[rank] = users[row]
    ranked.tieEnds[rank] = rank + 1 === n || scores[order[rank + 1]] !== scores[row] ? 1 : 0
  }
  return ranked
}

/**
 * AUC with each row repeated `userWeights` times (non-negative, by user); NaN with one class only.
 * One pass, O(n).
 */
export function weightedAuc({ labels, users, tieEnds }: RankedRows, userWeights: Int32Array): number {
  let pairsWon = 0
  let positives = 0
  let negatives = 0 // below the current run of equal scores
  let tiedPositives = 0
  let tiedNegatives = 0
  for (let rank = 0; rank < users.length; rank++) {
    const weight = userWeights[users[rank]]
    const positive = weight * labels[rank] // without a branch: labels in score order are hard to predict
    tiedPositives += positive
    tiedNegatives += weight - positive
    if (tieEnds[rank] === 1) {
      pairsWon += tiedPositives * (negatives + tiedNegatives / 2)
      positives += tiedPositives
      negatives += tiedNegatives
      tiedPositives = 0
      tiedNegatives = 0
    }
  }
  return pairsWon / (positives * negatives)
}

/** GAUC with each user repeated `userWeights` times, from the AUC within each user: O(users). */
export function weightedGauc({ rows, auc }: GroupAucs, userWeights: Int32Array): number {
  let weighted = 0
  let impressions = 0
  for (let user = 0; user < auc.length; user++) {
    if (Number.isNaN(auc[user])) continue
    weighted += userWeights[user] * rows[user] * auc[user]
    impressions += userWeights[user] * rows[user]
  }
  return weighted / impressions
}
