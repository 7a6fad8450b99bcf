/** A file that is read at any position. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { UserError } from '../base/errors.js'

/** An open file. Close it when done. */
export class BinaryFile implements Disposable {
  readonly size: number
  private readonly file: number

  /** @throws UserError `file-missing` if the file cannot be opened. */
  constructor(readonly path: string) {
    this.file = openFile(path)
    this.size = fstatSync(this.file).size
  }

  /** Reads `length` bytes from `position` on, in a buffer of their own, so that typed arrays over it are aligned. */
  read(position: number, length: number): Buffer {
    if (position + length > this.size) throw new Error(`${this.path} ended early`)
    const buffer = Buffer.from(new ArrayBuffer(length))
    for (let done = 0; done < length; ) {
      const count = readSync(this.file, buffer, done, Math.min(length - done, 2 ** 30), position + done)
      if (count === 0) throw new Error(`${this.path} ended early`)
      done += count
    }
    return buffer
  }

  close(): void {
    closeSync(this.file)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r')
  } catch {
    throw new UserError({ id: 'file-missing', where: path, what: 'cannot be read', remedy: 'check the path' })
  }
}
