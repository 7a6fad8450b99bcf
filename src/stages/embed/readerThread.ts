/** Reads picture files one by one and hashes what items are made of: in threads, for most of it is waiting for the system. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Answered, Asked } from '../../base/threads.js'
import { type PicturePlace, pictureBytesNow } from '../../data/pictures/files.js'
import { contentHash } from './contentHash.js'

export interface ReadTask {
  /** Of pictures; null where an item has none. */
  paths: readonly (string | null)[]
  titles: readonly (string | null)[]
}

export interface ReadAnswer {
  /** A text is the reason why there is no picture. */
  pictures: (Uint8Array | string | null)[]
  hashes: string[]
}

const place = workerData as PicturePlace

parentPort!.on('message', ({ id, task: { paths, titles } }: Asked<ReadTask>) => {
  const found = paths.map((path) => (path === null ? null : read(path)))
  const hashes = found.map((picture, i) => contentHash(titles[i], typeof picture === 'string' ? null : picture))
  // All in one piece of memory, which changes hands as it is.
  const all = new Uint8Array(found.reduce((sum, picture) => sum + (isBytes(picture) ? picture.length : 0), 0))
  let at = 0
  const pictures = found.map((picture) => {
    if (!isBytes(picture)) return picture
    all.set(picture, at)
    at += picture.length
    return all.subarray(at - picture.length, at)
  })
  const answer: Answered<ReadAnswer> = { id, result: { pictures, hashes } }
  parentPort!.postMessage(answer, [all.buffer])
})

const isBytes = (picture: Uint8Array | string | null) => picture instanceof Uint8Array

function read(path: string): Uint8Array | string {
  try {
    return pictureBytesNow(path, place)
  } catch (error) {
    return (error as Error).message
  }
}
