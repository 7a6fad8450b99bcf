/** An approximate index of a table (HNSW, Malkov & Yashunin 2018) by usearch, stored with the table's files. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Index, MetricKind, ScalarKind } from 'usearch'
import { requireMemory } from '../base/capacity.js'
import { moveTo } from '../base/files.js'
import type { Neighbor } from './exact.js'
import type { EmbeddingTable } from './table.js'

const file = 'hnsw.usearch'
/** Links per node (M), and candidates considered when adding a node (efConstruction) and when searching (ef). */
const shape = { connectivity: 16, expansion_add: 128, expansion_search: 128 }
/** Each node has twice as many links at its lowest level, of 4 bytes at least. */
const bytesOfLinks = 2 * shape.connectivity * 4
const exact = 'search without --index, which needs little memory, or use a machine with more'
const blockRows = 8192

export class HnswIndex {
  private constructor(private readonly index: Index) {}

  /** Opens the index of a table, or builds it; `progress` is called with the number of rows added so far. */
  static async open(table: EmbeddingTable, progress: (rows: number) => void): Promise<HnswIndex> {
    const config = { dimensions: table.width, metric: MetricKind.Cos, quantization: ScalarKind.F32, multi: false }
    const index = new Index({ ...config, ...shape })
    const path = join(table.folder, file)
    if (existsSync(path)) {
      index.view(path)
      return new HnswIndex(index)
    }
    requireMemory(
      table.manifest.rows * (table.width * 4 + bytesOfLinks),
      `an index of ${table.manifest.rows} vectors`,
      exact,
    )
    for (const { from, rows, vectors } of table.blocks(blockRows)) {
      const keys = BigUint64Array.from({ length: rows }, (_, i) => BigInt(from + i))
      // Several threads that add to an almost empty graph may leave rows without an incoming link, at random.
      const threads = from === 0 ? 1 : 0
      // The type declares lists of rows only; the library itself uses flat matrices.
      index.add(keys, vectors as never, threads)
      progress(from + rows)
      // Lets progress bars and signals be processed.
      await new Promise(setImmediate)
    }
    const temporary = `${path}.part-${process.pid}`
    index.save(temporary)
    moveTo(temporary, path)
    return new HnswIndex(index)
  }

  /** The `k` nearest rows that the index finds, best first, without `exclude`. */
  nearest(query: Float32Array, k: number, exclude?: number): Neighbor[] {
    const wanted = Math.min(k + (exclude === undefined ? 0 : 1), this.index.size())
    const { keys, distances } = this.index.search(query, wanted, 1)
    return Array.from(keys, (key, i) => ({ row: Number(key), score: 1 - distances[i] }))
      .filter(({ row }) => row !== exclude)
      .slice(0, k)
  }
}
