/** Baselines that rank items by counts alone, for the pairs that the vectors are evaluated on. */
import type { ChoiceCounts } from '../../data/choices/coOccurrence.js'
import type { Positives } from '../../data/choices/positives.js'
import { queryKinds } from '../../data/choices/sources/source.js'
import type { Found } from './recall.js'

export interface BaselineRanks {
  /** Items ranked by how often they were chosen in the training part. */
  popularity: Found[]
  /** Items ranked by how often they were chosen with the query in the training part; ties by popularity. */
  cooccurrence: Found[]
}

/** Ranks of the targets of `pairs`, in the form that `findTargets` gives for vectors. Tied items share their ranks. */
export function rankByCounts(
  { kind, query, target }: Positives,
  pairs: Int32Array,
  { popularity, together }: ChoiceCounts,
): BaselineRanks {
  const most = popularity.reduce((a, b) => Math.max(a, b), 0) + 1
  const scores = new Float64Array(popularity.length)
  const found: BaselineRanks = { popularity: [], cooccurrence: [] }
  for (const [k, name] of queryKinds.entries()) {
    const rows = pairs.filter((pair) => kind[pair] === k)
    if (rows.length === 0) continue
    const targets = rows.map((pair) => target[pair])
    const [popular, cooccurring] = [new Float64Array(rows.length), new Float64Array(rows.length)]
    // Sorted by query, so that the counts of a query are made once.
    let counted = -1
    for (const i of Uint32Array.from(rows.keys()).sort((a, b) => query[rows[a]] - query[rows[b]])) {
      const number = query[rows[i]]
      if (number !== counted) {
        const counts = together(name, number)
        for (let item = 0; item < scores.length; item++) scores[item] = counts[item] * most + popularity[item]
        counted = number
      }
      const excluded = name === 'product' ? number : -1
      popular[i] = rankOf(popularity, targets[i], excluded)
      cooccurring[i] = rankOf(scores, targets[i], excluded)
    }
    found.popularity.push({ kind: name, targets, ranks: popular })
    found.cooccurrence.push({ kind: name, targets, ranks: cooccurring })
  }
  return found
}

/** Rank of `target`, from 0: the number of items above it plus half of those equal to it, without `excluded`. */
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
