import { countVectors, dot } from './vectors.js'

/** 64 items of 128 float32 are 32 KiB: they stay in the L1 cache for all queries. */
const ITEM_BLOCK = 64

export interface RankOptions {
  /**
   * Item rows to leave out of a query's ranking, e.g. the anchor itself or its other known positives.
   * The target always stays in, even if it is listed; duplicates are allowed.
   */
  exclude?: (query: number) => Int32Array | undefined
}

/**
 * Rank of each query's target among all items by inner product [q], 0 the best:
 * (items above the target) + (other items equal to it) / 2.
 *
 * The half is the expected rank among equals. Counting only items above would give every target of
 * a collapsed space, where all scores are equal, the first rank; this gives it the middle one.
 *
 * `queries` [q·d], `items` [n·d], `targets` [q] item rows. Every product is summed in float64 in the
 * same order, so items with the same vector tie exactly. O(q·n·d).
 */
export function ranksOfTargets(
  queries: Float32Array,
  items: Float32Array,
  d: number,
  targets: Int32Array,
  { exclude }: RankOptions = {},
): Float64Array {
  const q = countVectors('queries', queries, d)
  const n = countVectors('items', items, d)
  if (targets.length !== q) throw new Error(`${targets.length} targets; expected ${q}, one a query`)

  const targetScores = new Float64Array(q)
  for (let query = 0; query < q; query++) {
    const target = targets[query]
    if (target < 0 || target >= n) {
      throw new Error(`target ${target} of query ${query + 1}; expected an item row from 0 to ${n - 1}`)
    }
    targetScores[query] = dot(queries, query * d, items, target * d, d)
  }

  const ranks = sumPushes(queries, items, d, n, targetScores)
  for (let query = 0; query < q; query++) {
    ranks[query] -= 0.5 // the target equals itself
    for (const item of new Set(exclude?.(query))) {
      if (item < 0 || item >= n) throw new Error(`excluded item ${item}; expected an item row from 0 to ${n - 1}`)
      if (item === targets[query]) continue
      ranks[query] -= push(dot(queries, query * d, items, item * d, d), targetScores[query])
    }
  }
  return ranks
}

/** By how many ranks an item pushes the target down. */
function push(score: number, targetScore: number): number {
  if (score > targetScore) return 1
  return score === targetScore ? 0.5 : 0
}

/** Σ over all items of `push` [q]: blocks of items, four of them at a time for each query. */
function sumPushes(
  queries: Float32Array,
  items: Float32Array,
  d: number,
  n: number,
  targetScores: Float64Array,
): Float64Array {
  const ranks = new Float64Array(targetScores.length)
  for (let block = 0; block < n; block += ITEM_BLOCK) {
    const end = Math.min(block + ITEM_BLOCK, n)
    for (let query = 0; query < targetScores.length; query++) {
      const at = query * d
      const targetScore = targetScores[query]
      let sum = 0
      let item = block
      for (; item + 4 <= end; item += 4) {
        const at0 = item * d
        const at1 = at0 + d
        const at2 = at1 + d
        const at3 = at2 + d
        let score0 = 0
        let score1 = 0
        let score2 = 0
        let score3 = 0
        for (let k = 0; k < d; k++) {
          const x = queries[at + k]
          score0 += x * items[at0 + k]
          score1 += x * items[at1 + k]
          score2 += x * items[at2 + k]
          score3 += x * items[at3 + k]
        }
        sum += push(score0, targetScore) + push(score1, targetScore)
        sum += push(score2, targetScore) + push(score3, targetScore)
      }
      for (; item < end; item++) sum += push(dot(queries, at, items, item * d, d), targetScore)
      ranks[query] += sum
    }
  }
  return ranks
}
