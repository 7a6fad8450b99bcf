/** An approximate index of a table (HNSW, Malkov & Yashunin 2018) by usearch, stored with the table's files. */
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Index, MetricKind, ScalarKind } from 'usearch'
import { requireMemory } from '../base/capacity.js'
import { UserError } from '../base/errors.js'
import { replaceFile, writeJson } from '../base/files.js'
import { readJson } from '../base/ownFile.js'
import { expectedError } from '../base/places.js'
import { Lock, lockOf } from '../base/processes/lock.js'
import type { Neighbor } from './exact.js'
import { changedFiles, type FileSums, fileSums, Summing } from './sums.js'
import type { EmbeddingTable } from './table.js'

const file = 'hnsw.usearch'
/** Size and checksum of the index: the library trusts the file, and crashes with a spoilt one. */
const sumsFile = 'hnsw.usearch.sums'
/** Links per node (M), and candidates considered when adding a node (efConstruction) and when searching (ef). */
const shape = { connectivity: 16, expansion_add: 128, expansion_search: 128 }
/** Each node has twice as many links at its lowest level, of 4 bytes at least. */
const bytesOfLinks = 2 * shape.connectivity * 4
const exact = 'search without --index, which needs little memory, or use a machine with more'
const blockRows = 8192

export class HnswIndex {
  private constructor(private readonly index: Index) {}

  /**
   * Opens the index of a table, or builds it; `progress` is called with the number of rows added so far, and `say` with
   * why an index is built again.
   */
  static async open(
    table: EmbeddingTable,
    progress: (rows: number) => void,
    say: (line: string) => void = () => {},
  ): Promise<HnswIndex> {
    const config = { dimensions: table.width, metric: MetricKind.Cos, quantization: ScalarKind.F32, multi: false }
    const index = new Index({ ...config, ...shape })
    const path = join(table.folder, file)
    if (existsSync(path)) {
      const problem = problemOf(table.folder)
      if (problem === undefined) {
        removeOldLock(path)
        index.view(path)
        return new HnswIndex(index)
      }
      say(`the index is built again: ${problem}`)
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
    await save(index, path)
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

/** Saves the index for the next time, unless another process does it or the table cannot be changed. */
async function save(index: Index, path: string): Promise<void> {
  try {
    using _lock = Lock.path(path)
    const folder = dirname(path)
    let sums: FileSums = {}
    await replaceFile(path, (temporary) => {
      index.save(temporary)
      const summing = new Summing(folder)
      summing.addFile(basename(temporary))
      sums = summing.finish()
    })
    await writeJson(join(folder, sumsFile), { [file]: Object.values(sums)[0] })
  } catch (error) {
    if (!expectedError(error)) throw error
  }
}

/** Removes the lock of a process that was killed after it had saved the index. */
function removeOldLock(path: string): void {
  if (!existsSync(lockOf(path))) return
  try {
    Lock.path(path).release()
  } catch (error) {
    // Another process has it, or the table cannot be changed.
    if (!expectedError(error)) throw error
  }
}

/** Why the index in the folder of a table cannot be used; undefined if it can. */
function problemOf(folder: string): string | undefined {
  const path = join(folder, sumsFile)
  if (!existsSync(path)) return `${join(folder, file)} has no checksum`
  try {
    const sums = readJson(path, fileSums, { remedy: '' })
    if (!(file in sums)) return `${path} has no checksum of it`
    const [changed] = changedFiles(folder, sums)
    return changed && `${folder}: ${changed}`
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
}
