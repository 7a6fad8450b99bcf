/** A thread that reads picture files and hashes the content of items. Threads pay off: most of the time is system calls. */
import { parentPort, workerData } from 'node:worker_threads'
import { type ResultMessage, serve, type TaskMessage } from '../../base/processes/threads.js'
import { type PictureInput, type PicturePlace, pictureBytesNow } from '../../data/pictures/files.js'
import { contentHash } from './contentHash.js'

export interface ReadTask {
  /** Pictures, most of them paths; null for items without one. */
  pictures: readonly (PictureInput | null)[]
  titles: readonly (string | null)[]
}

export interface ReadAnswer {
  /** Bytes, or the reason why the file cannot be read. */
  pictures: (Uint8Array | string | null)[]
  hashes: string[]
}

const source = workerData as PicturePlace

serve(({ id, task: { pictures: wanted, titles } }: TaskMessage<ReadTask>) => {
  const found = wanted.map((picture) => (picture === null ? null : read(picture)))
  const hashes = found.map((picture, i) => contentHash(titles[i], typeof picture === 'string' ? null : picture))
  // All bytes in one buffer, which is transferred without a copy.
  const all = new Uint8Array(found.reduce((sum, picture) => sum + (isBytes(picture) ? picture.length : 0), 0))
  let end = 0
  const pictures = found.map((picture) => {
    if (!isBytes(picture)) return picture
    const start = end
    end += picture.length
    all.set(picture, start)
    return all.subarray(start, end)
  })
  const answer: ResultMessage<ReadAnswer> = { id, result: { pictures, hashes } }
  parentPort!.postMessage(answer, [all.buffer])
})

const isBytes = (picture: Uint8Array | string | null) => picture instanceof Uint8Array

function read(picture: PictureInput): Uint8Array | string {
  try {
    return pictureBytesNow(picture, source)
  } catch (error) {
    return (error as Error).message
  }
}
