/** What an extraction has reached, kept on disk: after `kill -9` the next run goes on from it. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFolder, writeJson } from '../../base/files.js'
import type { ItemStream } from '../../data/items/stream.js'
import type { Vectors } from '../../runtime/encoder.js'
import {
  type EmbeddingTable,
  flags,
  hashBytes,
  type Id,
  IdWriter,
  RowFiles,
  type RowShape,
  SortedIds,
  storedVector,
} from '../../store/index.js'

const stateFile = 'state.json'

/** A place for the vectors of every item, in the order of the ids. Close it when done. */
export class EmbedWork {
  private constructor(
    readonly ids: SortedIds,
    readonly rows: RowFiles,
    private readonly shape: RowShape,
  ) {}

  /**
   * Opens the work in `folder`, or begins it anew where it is of something else than `purpose` says: another
   * catalogue, another model, another shape of rows.
   */
  static async open(folder: string, stream: ItemStream, shape: RowShape, purpose: unknown): Promise<EmbedWork> {
    const wanted = JSON.stringify({ catalogue: stream.fingerprint, count: stream.count, shape, purpose })
    const state = join(folder, stateFile)
    const found = existsSync(state) ? JSON.stringify(JSON.parse(readFileSync(state, 'utf8'))) : ''
    if (found !== wanted) {
      rmSync(folder, { recursive: true, force: true })
      await replaceFolder(folder, async (temporary) => {
        const writer = new IdWriter(temporary, stream.kind)
        for await (const ids of stream.sortedIds()) writer.add(ids)
        writer.finish()
        RowFiles.create(temporary, shape, stream.count).close()
        await writeJson(join(temporary, stateFile), JSON.parse(wanted))
      })
    }
    return new EmbedWork(new SortedIds(folder, stream.kind), RowFiles.open(folder, 'r+'), shape)
  }

  /**
   * Content hash that the vectors at `row` were made from; undefined where there are none yet, or where the
   * picture was broken: it is tried, and counted, once more.
   */
  hashAt(row: number): string | undefined {
    const [present] = this.rows.array('present').read(row, 1)
    const isDone = (present & flags.embedding) !== 0 && (present & flags.broken) === 0
    return isDone ? this.rows.array('content_hash').read(row, 1).toString('hex') : undefined
  }

  /** Notes that the older table has the vectors of the item at `row`. */
  keep(row: number): void {
    this.rows.array('present').write(row, Uint8Array.of(flags.unchanged))
  }

  /** Notes that there is nothing to make a vector of. */
  leaveOut(row: number): void {
    this.rows.array('present').write(row, Uint8Array.of(0))
  }

  put(row: number, { embedding, image, text }: Vectors, contentHash: string, isBroken: boolean): void {
    const { type, widths } = this.shape
    const bytes = (vector: Float32Array | null, width: number) => {
      const stored = vector ? storedVector(vector, width, type) : undefined
      const size = width * (type === 'int8' ? 1 : 4)
      return stored ? Buffer.from(stored.buffer, stored.byteOffset, size) : Buffer.alloc(size)
    }
    this.rows.write(row, {
      embedding: bytes(embedding, widths.embedding),
      image_embedding: bytes(image, widths.image_embedding),
      text_embedding: bytes(text, widths.text_embedding),
      content_hash: Buffer.from(contentHash, 'hex'),
      present: Buffer.of(
        flags.embedding | (image ? flags.image : 0) | (text ? flags.text : 0) | (isBroken ? flags.broken : 0),
      ),
    })
  }

  close(): void {
    this.ids.close()
    this.rows.close()
  }
}

/** Content hashes of an older table's items, '' for those it does not have. */
export function olderHashes({ ids, rows }: EmbeddingTable, wanted: readonly Id[]): string[] {
  const places = ids.find(wanted)
  const [first, last] = [Math.min(...places.filter((p) => p >= 0)), Math.max(...places)]
  if (last < 0) return wanted.map(() => '')
  // Items that stand together in the catalogue stand together here, as a rule.
  const dense = last - first < 4 * wanted.length ? rows.array('content_hash').read(first, last - first + 1) : undefined
  return Array.from(places, (place) => {
    if (place < 0) return ''
    const from = dense ? (place - first) * hashBytes : 0
    const bytes = dense ?? rows.array('content_hash').read(place, 1)
    return bytes.toString('hex', from, from + hashBytes)
  })
}
