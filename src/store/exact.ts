import { normOf } from './rows.js'
import type { EmbeddingTable } from './table.js'

export interface Neighbor {
  /** Row of the table. */
  row: number
  /** Cosine with the query. */
  score: number
}

/** Rows compared with all queries at a time: a few megabytes. */
const blockRows = 8192

/**
 * The `k` rows of greatest cosine for each query [queries, width], best first; of equal ones the lower row first.
 * Exact: compares every vector of the table, block by block. Query `q` skips the row `exclude[q]`.
 */
export function nearestRows(
  table: EmbeddingTable,
  queries: Float32Array,
  k: number,
  exclude: readonly (number | undefined)[] = [],
): Neighbor[][] {
  const d = table.width
  const best = Array.from({ length: queries.length / d }, (): Neighbor[] => [])
  const norms = best.map((_, q) => normOf(queries, q * d, d))
  for (const { from, rows, vectors } of table.blocks(blockRows)) {
    const lengths = Float64Array.from({ length: rows }, (_, i) => normOf(vectors, i * d, d))
    for (const [q, found] of best.entries()) {
      for (let i = 0; i < rows; i++) {
        let sum = 0
        for (let j = 0; j < d; j++) sum += queries[q * d + j] * vectors[i * d + j]
        const score = sum / (norms[q] * lengths[i] || 1)
        if (found.length === k && !(score > found[k - 1].score)) continue
        if (exclude[q] === from + i) continue
        const position = found.findIndex((other) => score > other.score)
        found.splice(position < 0 ? found.length : position, 0, { row: from + i, score })
        if (found.length > k) found.pop()
      }
    }
  }
  return best
}
