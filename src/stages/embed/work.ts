/** The progress of an extraction on disk: after `kill -9` the next run continues from it. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../base/errors.js'
import { replaceFolder, writeJson } from '../../base/files.js'
import { readJson } from '../../base/ownFile.js'
import { Resources } from '../../base/resources.js'
import type { ItemStream } from '../../data/items/stream.js'
import type { Vectors } from '../../runtime/encoder.js'
import {
  type EmbeddingTable,
  flags,
  hashBytes,
  type Id,
  IdWriter,
  oddVector,
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

  /**
   * Opens the work in `folder`; starts again if its catalogue, shape of rows or `purpose` is a different one, or if its
   * files are spoilt, which `say` gets in words.
   */
  static async open(
    folder: string,
    stream: ItemStream,
    shape: RowShape,
    purpose: unknown,
    say: (line: string) => void,
  ): Promise<EmbedWork> {
    const wanted = JSON.stringify({ catalogue: stream.fingerprint, count: stream.count, shape, purpose })
    const state = join(folder, stateFile)
    try {
      if (existsSync(state) && JSON.stringify(readJson(state, z.unknown(), { remedy: '' })) === wanted) {
        return EmbedWork.openFiles(folder, stream, shape)
      }
    } catch (error) {
      if (!(error instanceof UserError && ['file-broken', 'store-broken'].includes(error.id))) throw error
      say(`vectors of the interrupted run are computed again, because a file is spoilt: ${error.message}`)
    }
    rmSync(folder, { recursive: true, force: true })
    await replaceFolder(folder, async (temporary) => {
      using writer = new IdWriter(temporary, stream.kind)
      for await (const ids of stream.sortedIds()) writer.add(ids)
      writer.finish()
      RowFiles.create(temporary, shape, stream.count).close()
      await writeJson(join(temporary, stateFile), JSON.parse(wanted))
    })
    return EmbedWork.openFiles(folder, stream, shape)
  }

  /** @throws UserError `store-broken` */
  private static openFiles(folder: string, { kind, count: rows }: ItemStream, shape: RowShape): EmbedWork {
    using opened = new Resources()
    const ids = opened.use(new SortedIds(folder, kind, rows))
    ids.check()
    const files = opened.use(RowFiles.open(folder, { ...shape, rows }, 'r+'))
    opened.release()
    return new EmbedWork(folder, ids, files, shape)
  }

  /**
   * Content hash of the item with its vectors in `row`; undefined where there are none yet, or where the picture was
   * broken, which is then read and counted again. After a power cut a row may have its flags and not its vectors.
   */
  hashAt(row: number): string | undefined {
    const [present] = this.rows.array('present').read(row, 1)
    const isDone = (present & flags.embedding) !== 0 && (present & flags.broken) === 0
    if (!isDone || oddVector(this.rows.read(row, 1), 0, this.shape) !== undefined) return undefined
    return this.rows.array('content_hash').read(row, 1).toString('hex')
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
  /** Undefined if the table's vectors of the item cannot be used: an earlier version may have published such. */
  hash: string | undefined
  /** Whether its picture was broken. */
  isBroken: boolean
}

/** The items `wanted` in an older table; undefined for those that it does not have. */
export function olderItems({ ids, rows, manifest }: EmbeddingTable, wanted: readonly Id[]): (OlderItem | undefined)[] {
  const found = ids.find(wanted)
  const [first, last] = [Math.min(...found.filter((row) => row >= 0)), Math.max(...found)]
  if (last < 0) return wanted.map(() => undefined)
  // Items that are close in the catalogue usually have close ids: then one read of each array has all of them.
  const count = last - first + 1
  const range = last - first < 4 * wanted.length ? rows.read(first, count) : undefined
  return Array.from(found, (row) => {
    if (row < 0) return undefined
    const at = range ? row - first : 0
    const read = range ?? rows.read(row, 1)
    const hash = read.content_hash.toString('hex', at * hashBytes, (at + 1) * hashBytes)
    const isUsable = oddVector(read, at, manifest) === undefined
    return { hash: isUsable ? hash : undefined, isBroken: (read.present[at] & flags.broken) !== 0 }
  })
}
