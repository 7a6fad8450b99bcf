/** Area under the ROC curve by its definition: every pair of a click and a non-click, ties ½. */
export function aucByPairs(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  let [won, pairs] = [0, 0]
  for (let i = 0; i < scores.length; i++) {
    for (let j = 0; j < scores.length; j++) {
      if (labels[i] !== 1 || labels[j] !== 0) continue
      pairs++
      if (scores[i] > scores[j]) won++
      else if (scores[i] === scores[j]) won += 0.5
    }
  }
  return won / pairs
}
