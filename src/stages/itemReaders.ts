/** The bytes of items' pictures and hashes of their content. */
import { Worker } from 'node:worker_threads'
import type { ItemPiece } from '../data/itemStream.js'
import { type PicturePlace, pictureBytes } from '../data/pictureFiles.js'
import { contentHash } from './contentHash.js'
import type { ReadAnswer, ReadTask } from './itemReaderThread.js'

export interface ReadItems {
  /** Encoded pictures; null where the item has none, an Error where its file cannot be read. */
  pictures: (Uint8Array | Error | null)[]
  hashes: string[]
}

interface Reader {
  worker: Worker
  waiting: Map<number, { resolve(answer: ReadAnswer): void; reject(error: Error): void }>
}

/** Files that are read at a time: as many as Node.js itself would read. */
export const readerCount = 4

/** Reads pictures by their paths in threads, which start when the first path comes. Close it when done. */
export class ItemReaders {
  private readers: Reader[] = []
  private tasks = 0

  constructor(private readonly place: PicturePlace) {}

  async read({ titles, pictures }: ItemPiece): Promise<ReadItems> {
    if (pictures.every((picture) => picture === null || typeof picture !== 'string')) {
      // What the table holds need not change threads to be hashed.
      const found = await Promise.all(
        pictures.map((picture) => picture && pictureBytes(picture, this.place).catch((error: Error): Error => error)),
      )
      return { pictures: found, hashes: found.map((p, i) => contentHash(titles[i], p instanceof Error ? null : p)) }
    }
    const answer = await this.ask({ id: this.tasks++, paths: pictures as (string | null)[], titles })
    return {
      pictures: answer.pictures.map((picture) => (typeof picture === 'string' ? new Error(picture) : picture)),
      hashes: answer.hashes,
    }
  }

  private ask(task: ReadTask): Promise<ReadAnswer> {
    if (this.readers.length === 0) this.readers = Array.from({ length: readerCount }, () => startReader(this.place))
    const reader = this.readers.reduce((least, one) => (one.waiting.size < least.waiting.size ? one : least))
    return new Promise((resolve, reject) => {
      reader.waiting.set(task.id, { resolve, reject })
      reader.worker.ref()
      reader.worker.postMessage(task)
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.readers.map(({ worker }) => worker.terminate()))
  }
}

function startReader(place: PicturePlace): Reader {
  const worker = new Worker(new URL('./itemReaderThread.js', import.meta.url), { workerData: place })
  const waiting: Reader['waiting'] = new Map()
  worker.on('message', (answer: ReadAnswer) => {
    waiting.get(answer.id)!.resolve(answer)
    waiting.delete(answer.id)
    // Only work that is waited for keeps the process alive.
    if (waiting.size === 0) worker.unref()
  })
  worker.on('error', (error: Error) => {
    for (const task of waiting.values()) task.reject(error)
  })
  return { worker, waiting }
}
