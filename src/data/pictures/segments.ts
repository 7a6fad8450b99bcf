/** Reads segments of the picture cache. */
import { readSync } from 'node:fs'
import { UserError } from '../../base/errors.js'

/** The error for a segment of the cache that was cut short, or removed, while it was read. */
function lostPictures(path: string): UserError {
  const remedy = 'start again: its pictures are decoded again'
  return new UserError({ id: 'file-broken', where: path, what: 'the file was cut short while it was read', remedy })
}

/** Fills `into` from `position` on. @throws UserError `file-broken` */
export function readExactly(file: number, into: Uint8Array, position: number, path: string): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(file, into, done, into.length - done, position + done)
    if (read === 0) throw lostPictures(path)
    done += read
  }
}
