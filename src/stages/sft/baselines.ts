/** What finding by counts alone would give, on the events that the vectors are judged by. */
import type { ChoiceCounts } from '../../data/choices/coOccurrence.js'
import { anchorKinds, type Positives } from '../../data/choices/positives.js'
import type { Found } from './recall.js'

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
  const found: BaselineRanks = { popularity: [], cooccurrence: [] }
  for (const [k, name] of anchorKinds.entries()) {
    const rows = pairs.filter((pair) => kind[pair] === k)
    if (rows.length === 0) continue
    const targets = rows.map((pair) => item[pair])
    const [popular, cooccurring] = [new Float64Array(rows.length), new Float64Array(rows.length)]
    // Pairs of one anchor follow each other, so that its counts are made once.
    let counted = -1
    for (const i of Uint32Array.from(rows.keys()).sort((a, b) => anchor[rows[a]] - anchor[rows[b]])) {
      const asks = anchor[rows[i]]
      if (asks !== counted) {
        const counts = together(name, asks)
        for (let other = 0; other < scores.length; other++) scores[other] = counts[other] * most + popularity[other]
        counted = asks
      }
      const excluded = name === 'product' ? asks : -1
      popular[i] = rankOf(popularity, targets[i], excluded)
      cooccurring[i] = rankOf(scores, targets[i], excluded)
    }
    found.popularity.push({ kind: name, targets, ranks: popular })
    found.cooccurrence.push({ kind: name, targets, ranks: cooccurring })
  }
  return found
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
