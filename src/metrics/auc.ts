import { checkScored, type Labels, type Scores } from './columns.js'

/**
 * Area under the ROC curve, exact: the probability that a random positive scores above a random
 * negative, ties counting ½ (Mann–Whitney U / (P·N); Hanley & McNeil 1982).
 *
 * `labels` [n] of 0/1, `scores` [n]; −0 ties with 0. NaN without rows or with one class only; throws
 * on a NaN score. O(n log n); the count of pairs is exact up to 2^52 of them.
 */
export function auc(labels: Labels, scores: Scores): number {
  checkScored(labels, scores)
  const { positives, negatives } = sortedByClass(labels, scores)
  return aucOfSorted(positives, negatives)
}

/** Ascending scores of each class. Sorting two typed arrays natively is faster than sorting rows with a comparator. */
export function sortedByClass(labels: Labels, scores: Scores): { positives: Scores; negatives: Scores } {
  const split = scores.slice() // positives from the front, negatives from the back
  let front = 0
  let back = split.length
  for (let row = 0; row < scores.length; row++) {
    if (labels[row] === 1) split[front++] = scores[row]
    else split[--back] = scores[row]
  }
  return { positives: split.subarray(0, front).sort(), negatives: split.subarray(front).sort() }
}

/** AUC from the ascending scores of the positives [P] and of the negatives [N]; NaN if either is empty. */
export function aucOfSorted(positives: Scores, negatives: Scores): number {
  let pairsWon = 0
  let below = 0 // negatives with a lower score than the current positive
  for (let i = 0; i < positives.length; ) {
    const score = positives[i]
    const first = i
    while (i < positives.length && positives[i] === score) i++
    while (below < negatives.length && negatives[below] < score) below++
    let upTo = below
    while (upTo < negatives.length && negatives[upTo] === score) upTo++
    pairsWon += (i - first) * ((below + upTo) / 2)
    below = upTo
  }
  return pairsWon / (positives.length * negatives.length)
}
