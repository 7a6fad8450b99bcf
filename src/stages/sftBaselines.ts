/** What finding by counts alone would give, on the events that the vectors are judged by. */
import type { ChoiceCounts } from '../data/coOccurrence.js'
import { anchorKinds, type Positives } from '../data/positives.js'
import type { Found } from './sftJudge.js'

export interface BaselineRanks {
  /** Items by how often training chose them. */
  popularity: Found[]
  /** Items by how often training chose them with the anchor; among equals by popularity. */
  cooccurrence: Found[]
}

/** Places of the chosen items of `pairs`, as `findChosen` gives them for vectors; items that tie share their places. */
export function rankByCounts(
  { kind, anchor, item }: Positives,
  pairs: Int32Array,
  { popularity, together }: ChoiceCounts,
): BaselineRanks {
  const most = popularity.reduce((a, b) => Math.max(a, b), 0) + 1
  const scores = new Float64Array(popularity.length)
  const ranked = (scoresOf: (row: number) => Float64Array) =>
    anchorKinds.flatMap((name, k): Found[] => {
      const rows = Array.from(pairs.keys()).filter((row) => kind[pairs[row]] === k)
      if (rows.length === 0) return []
      const ranks = Float64Array.from(rows, (row) => {
        const pair = pairs[row]
        return rankOf(scoresOf(row), item[pair], name === 'product' ? anchor[pair] : -1)
      })
      return [{ kind: name, targets: Int32Array.from(rows, (row) => item[pairs[row]]), ranks }]
    })
  return {
    popularity: ranked(() => popularity),
    cooccurrence: ranked((row) => {
      scores.set(popularity)
      for (const [other, count] of together[row]) scores[other] += count * most
      return scores
    }),
  }
}

/** Place of `target`, from 0: items above it, and half of those equal to it; `excluded` does not compete. */
function rankOf(scores: Float64Array, target: number, excluded: number): number {
  const own = scores[target]
  let rank = 0
  for (let item = 0; item < scores.length; item++) {
    if (item === target || item === excluded) continue
    if (scores[item] > own) rank++
    else if (scores[item] === own) rank += 0.5
  }
  return rank
}
