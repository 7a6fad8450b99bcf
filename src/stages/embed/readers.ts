/** Reads the bytes of items' pictures and hashes their content. */
import { TaskThread } from '../../base/processes/threads.js'
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

/** Threads that read files: as many as Node.js itself uses. */
export const readerCount = 4

/** Reads picture files in threads, which start with the first path. Close it when done. */
export class ItemReaders implements AsyncDisposable {
  private readers: Reader[] = []

  constructor(private readonly source: PicturePlace) {}

  async read({ titles, pictures }: ItemPiece): Promise<ReadItems> {
    if (!pictures.some((picture) => typeof picture === 'string')) {
      // Pictures stored in the table are already in this thread.
      const found = await Promise.all(
        (pictures as (Uint8Array | null)[]).map(
          (picture) => picture && pictureBytes(picture, this.source).catch((error: Error): Error => error),
        ),
      )
      return { pictures: found, hashes: found.map((p, i) => contentHash(titles[i], p instanceof Error ? null : p)) }
    }
    const answer = await this.reader().run({ pictures, titles })
    return {
      pictures: answer.pictures.map((picture) => (typeof picture === 'string' ? new Error(picture) : picture)),
      hashes: answer.hashes,
    }
  }

  /** The thread with the fewest tasks. */
  private reader(): Reader {
    const start = (): Reader =>
      new TaskThread(new URL('./readerThread.js', import.meta.url), this.source, 'reads pictures')
    if (this.readers.length === 0) this.readers = Array.from({ length: readerCount }, start)
    return TaskThread.leastBusy(this.readers)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.close()))
  }
}
