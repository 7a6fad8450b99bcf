/** The bytes of items' pictures and hashes of their content. */

import { TaskThread } from '../../base/threads.js'
import type { ItemPiece } from '../../data/items/stream.js'
import { type PicturePlace, pictureBytes } from '../../data/pictures/files.js'
import { contentHash } from './contentHash.js'
import type { ReadAnswer, ReadTask } from './readerThread.js'

export interface ReadItems {
  /** Encoded pictures; null where the item has none, an Error where its file cannot be read. */
  pictures: (Uint8Array | Error | null)[]
  hashes: string[]
}

type Reader = TaskThread<ReadTask, ReadAnswer>

/** Files that are read at a time: as many as Node.js itself would read. */
export const readerCount = 4

/** Reads pictures by their paths in threads, which start when the first path comes. Close it when done. */
export class ItemReaders {
  private readers: Reader[] = []

  constructor(private readonly place: PicturePlace) {}

  async read({ titles, pictures }: ItemPiece): Promise<ReadItems> {
    if (!pictures.some((picture) => typeof picture === 'string')) {
      // What the table holds need not change threads to be hashed.
      const found = await Promise.all(
        (pictures as (Uint8Array | null)[]).map(
          (picture) => picture && pictureBytes(picture, this.place).catch((error: Error): Error => error),
        ),
      )
      return { pictures: found, hashes: found.map((p, i) => contentHash(titles[i], p instanceof Error ? null : p)) }
    }
    const answer = await this.reader().ask({ paths: pictures as (string | null)[], titles })
    return {
      pictures: answer.pictures.map((picture) => (typeof picture === 'string' ? new Error(picture) : picture)),
      hashes: answer.hashes,
    }
  }

  /** The one that has least to do. */
  private reader(): Reader {
    const start = (): Reader =>
      new TaskThread(new URL('./readerThread.js', import.meta.url), this.place, 'reads pictures')
    if (this.readers.length === 0) this.readers = Array.from({ length: readerCount }, start)
    return TaskThread.leastBusy(this.readers)
  }

  async close(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.close()))
  }
}
