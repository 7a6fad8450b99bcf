/** A file that is read at any position. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
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
    if (position + length > this.size) throw this.ended()
    const buffer = Buffer.from(new ArrayBuffer(length))
    for (let done = 0; done < length; ) {
      const count = readSync(this.file, buffer, done, Math.min(length - done, 2 ** 30), position + done)
      if (count === 0) throw this.ended()
      done += count
    }
    return buffer
  }

  private ended(): UserError {
    const remedy = 'copy the file again'
    return new UserError({ id: 'file-broken', where: this.path, what: 'the file is cut short', remedy })
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
    // Opening a pipe would wait for who writes into it.
    if (statSync(path).isFile()) return openSync(path, 'r')
  } catch {
    // Reported below.
  }
  throw new UserError({ id: 'file-missing', where: path, what: 'cannot be read', remedy: 'check the path' })
}
