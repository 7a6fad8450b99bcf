/** Rows of a table with the vector of an earlier row. */
import type { EmbeddingTable } from '../../store/index.js'

/** Two FNV-1a-like 32-bit hashes over the bits of the numbers. Equal vectors have equal fingerprints. */
export function fingerprint(vector: Float32Array): bigint {
  const words = new Uint32Array(vector.slice().buffer)
  let [low, high] = [0x811c9dc5, 0x01000193]
  for (const word of words) {
    low = Math.imul(low ^ word, 0x01000193)
    high = Math.imul(high ^ word, 0x85ebca6b) ^ (high >>> 13)
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}

/**
 * Number of rows whose vector equals the vector of an earlier row bit by bit. `fingerprints` are those of all rows. Different
 * vectors may share one, so the stored bytes of rows with equal fingerprints are compared.
 */
export function countDuplicates(table: EmbeddingTable, fingerprints: BigUint64Array): number {
  const sorted = fingerprints.slice().sort()
  const repeated = new Set(sorted.filter((print, i) => i > 0 && print === sorted[i - 1]))
  const bytes = (row: number) => table.stored(Int32Array.of(row), 'embedding')
  /** Rows of the different vectors of a fingerprint. */
  const firstRows = new Map<bigint, number[]>()
  let duplicates = 0
  for (const [row, print] of fingerprints.entries()) {
    if (!repeated.has(print)) continue
    const rows = firstRows.get(print) ?? []
    const vector = bytes(row)
    if (rows.some((earlier) => Buffer.compare(bytes(earlier), vector) === 0)) duplicates++
    else firstRows.set(print, [...rows, row])
  }
  return duplicates
}
