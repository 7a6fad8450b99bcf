import { writeSync } from 'node:fs'
import { placeError } from './places.js'

/**
 * Writes all of `bytes` to the open file at `path`, from its present position or from `position` on: the system may take
 * a part of them, e.g. when the disk becomes full.
 * @throws UserError as `placeError`, which names the file.
 */
export function writeWhole(file: number, bytes: Uint8Array, path: string, position?: number): void {
  try {
    for (let done = 0; done < bytes.length; ) {
      const place = position === undefined ? null : position + done
      done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30), place)
    }
  } catch (error) {
    throw placeError(error, { path }) ?? error
  }
}
