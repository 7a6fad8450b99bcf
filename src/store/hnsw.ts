/** An approximate index of a table (HNSW, Malkov & Yashunin 2018), by usearch; it lies beside the table's files. */
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { Index, MetricKind, ScalarKind } from 'usearch'
import type { Neighbor } from './exact.js'
import type { EmbeddingTable } from './table.js'

const file = 'hnsw.usearch'
/** Links of a node, and how many candidates are weighed when it is added and when it is looked for. */
const shape = { connectivity: 16, expansion_add: 128, expansion_search: 128 }
const blockRows = 8192

export class HnswIndex {
  private constructor(private readonly index: Index) {}

  /** Opens the index of a table, or builds it; `progress` hears of rows added. */
  static async open(table: EmbeddingTable, progress: (rows: number) => void): Promise<HnswIndex> {
    const config = { dimensions: table.width, metric: MetricKind.Cos, quantization: ScalarKind.F32, multi: false }
    const index = new Index({ ...config, ...shape })
    const path = join(table.folder, file)
    if (existsSync(path)) {
      index.view(path)
      return new HnswIndex(index)
    }
    for (const { from, rows, vectors } of table.blocks(blockRows)) {
      const keys = BigUint64Array.from({ length: rows }, (_, i) => BigInt(from + i))
      // Threads that add to an almost empty graph may leave rows that no link reaches, others each time.
      const threads = from === 0 ? 1 : 0
      // The type knows matrices as lists of rows only; flat ones are what the library works with.
      index.add(keys, vectors as never, threads)
      progress(from + rows)
      // Lets bars be drawn and signals be heard.
      await new Promise(setImmediate)
    }
    const temporary = `${path}.part-${process.pid}`
    index.save(temporary)
    renameSync(temporary, path)
    return new HnswIndex(index)
  }

  /** The `k` nearest rows that are found, best first; `exclude` is passed over. */
  nearest(query: Float32Array, k: number, exclude?: number): Neighbor[] {
    const { keys, distances } = this.index.search(query, k + (exclude === undefined ? 0 : 1), 1)
    return Array.from(keys, (key, i) => ({ row: Number(key), score: 1 - distances[i] }))
      .filter(({ row }) => row !== exclude)
      .slice(0, k)
  }
}
