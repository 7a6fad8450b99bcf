import { countVectors, dot } from './vectors.js'

/**
 * The k items with the greatest inner product with a query, best first; among equals the lower row
 * first. `query` [d], `items` [n·d]; rows in `exclude` are skipped. O(n·(d + k)).
 */
export function nearestItems(
  query: Float32Array,
  items: Float32Array,
  k: number,
  exclude?: ReadonlySet<number>,
): number[] {
  const d = query.length
  const n = countVectors('items', items, d)
  const best: { item: number; score: number }[] = []
  for (let item = 0; item < n; item++) {
    if (exclude?.has(item)) continue
    const score = dot(query, 0, items, item * d, d)
    if (best.length === k && !(score > best[k - 1].score)) continue
    const place = best.findIndex((b) => score > b.score)
    best.splice(place < 0 ? best.length : place, 0, { item, score })
    if (best.length > k) best.pop()
  }
  return best.map(({ item }) => item)
}
