/** The progress of an extraction on disk: after `kill -9` the next run continues from it. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFolder, writeJson } from '../../base/files.js'
import { Resources } from '../../base/resources.js'
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

/** Rows for the vectors of all items, sorted by id. Close it when done. */
export class EmbedWork implements Disposable {
  private isClosed = false

  private constructor(
    private readonly folder: string,
    readonly ids: SortedIds,
    readonly rows: RowFiles,
    private readonly shape: RowShape,
  ) {}

  /** Opens the work in `folder`; starts again if its catalogue, shape of rows or `purpose` is a different one. */
  static async open(folder: string, stream: ItemStream, shape: RowShape, purpose: unknown): Promise<EmbedWork> {
    const wanted = JSON.stringify({ catalogue: stream.fingerprint, count: stream.count, shape, purpose })
    const state = join(folder, stateFile)
    const found = existsSync(state) ? JSON.stringify(JSON.parse(readFileSync(state, 'utf8'))) : ''
    if (found !== wanted) {
      rmSync(folder, { recursive: true, force: true })
      await replaceFolder(folder, async (temporary) => {
        using writer = new IdWriter(temporary, stream.kind)
        for await (const ids of stream.sortedIds()) writer.add(ids)
        writer.finish()
        RowFiles.create(temporary, shape, stream.count).close()
        await writeJson(join(temporary, stateFile), JSON.parse(wanted))
      })
    }
    using opened = new Resources()
    const ids = opened.use(new SortedIds(folder, stream.kind))
    const rows = opened.use(RowFiles.open(folder, 'r+'))
    opened.release()
    return new EmbedWork(folder, ids, rows, shape)
  }

  /**
   * Content hash of the item with its vectors in `row`; undefined where there are none yet, or where the picture was
   * broken, which is then read and counted again.
   */
  hashAt(row: number): string | undefined {
    const [present] = this.rows.array('present').read(row, 1)
    const isDone = (present & flags.embedding) !== 0 && (present & flags.broken) === 0
    return isDone ? this.rows.array('content_hash').read(row, 1).toString('hex') : undefined
  }

  /** Marks that the older table has the vectors of this item. */
  markUnchanged(row: number): void {
    this.rows.array('present').write(row, Uint8Array.of(flags.unchanged))
  }

  /** Marks an item without a title and a readable picture, which gets no vector. */
  markEmpty(row: number): void {
    this.rows.array('present').write(row, Uint8Array.of(0))
  }

  write(row: number, { embedding, image, text }: Vectors, contentHash: string, isBroken: boolean): void {
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

  /** Deletes the files. */
  remove(): void {
    this[Symbol.dispose]()
    rmSync(this.folder, { recursive: true })
  }

  [Symbol.dispose](): void {
    if (this.isClosed) return
    this.isClosed = true
    this.ids.close()
    this.rows.close()
  }
}

/** What an older table has of an item. */
export interface OlderItem {
  hash: string
  /** Whether its picture was broken. */
  isBroken: boolean
}

/** The items `wanted` in an older table; undefined for those that it does not have. */
export function olderItems({ ids, rows }: EmbeddingTable, wanted: readonly Id[]): (OlderItem | undefined)[] {
  const found = ids.find(wanted)
  const [first, last] = [Math.min(...found.filter((row) => row >= 0)), Math.max(...found)]
  if (last < 0) return wanted.map(() => undefined)
  const [hashes, present] = [rows.array('content_hash'), rows.array('present')]
  // Items that are close in the catalogue usually have close ids: then one read of each array has all of them.
  const count = last - first + 1
  const range = last - first < 4 * wanted.length ? [hashes.read(first, count), present.read(first, count)] : undefined
  return Array.from(found, (row) => {
    if (row < 0) return undefined
    const at = range ? row - first : 0
    const [bytes, bits] = range ?? [hashes.read(row, 1), present.read(row, 1)]
    const hash = bytes.toString('hex', at * hashBytes, (at + 1) * hashBytes)
    return { hash, isBroken: (bits[at] & flags.broken) !== 0 }
  })
}
