/**
 * Arrays on disk in NumPy's .npy format, version 1.0: rows are read and written in place, and every reader
 * of arrays opens them without copying, e.g. `np.load(path, mmap_mode='r')`.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { UserError } from '../base/errors.js'

const bytesOf = { '<f4': 4, '|i1': 1, '|u1': 1, '<i8': 8, '<u8': 8 } as const
export type NpyType = keyof typeof bytesOf

/** A multiple of 64, as the format asks for, and room for any shape of two dimensions. */
const headerBytes = 128

/** An open array [rows] or [rows, width]. Close it when done. */
export class NpyFile {
  private constructor(
    readonly path: string,
    private readonly file: number,
    readonly type: NpyType,
    private count: number,
    /** Numbers of a row; undefined: the array has one dimension. */
    readonly width: number | undefined,
  ) {}

  /** A new array of zeros, which take no room on disk until they are written over. */
  static create(path: string, type: NpyType, rows: number, width?: number): NpyFile {
    const array = new NpyFile(path, openSync(path, 'w+'), type, rows, width)
    array.resize(rows)
    return array
  }

  /** @throws UserError `store-broken` for a file that is no such array, or cut short. */
  static open(path: string, mode: 'r' | 'r+' = 'r'): NpyFile {
    const broken = (what: string) =>
      new UserError({ id: 'store-broken', where: path, what, remedy: 'run mim embed again, or copy the table again' })
    let file: number
    try {
      file = openSync(path, mode)
    } catch {
      throw broken('cannot be read')
    }
    const header = Buffer.alloc(headerBytes)
    const found = readSync(file, header, 0, headerBytes, 0)
    const text = header.toString('latin1')
    const [, type, shape] = /'descr': '([^']+)'.*'shape': \(([\d, ]+)\)/.exec(text) ?? []
    if (found < headerBytes || !text.startsWith('\x93NUMPY') || !type || !(type in bytesOf)) {
      closeSync(file)
      throw broken('not a .npy array of mim')
    }
    const [rows, width] = shape
      .split(',')
      .filter((part) => part.trim() !== '')
      .map(Number)
    const array = new NpyFile(path, file, type as NpyType, rows, width)
    if (fstatSync(file).size !== headerBytes + rows * array.rowBytes) {
      array.close()
      throw broken(`the file is not as long as its ${rows} rows`)
    }
    return array
  }

  get rows(): number {
    return this.count
  }

  get rowBytes(): number {
    return (this.width ?? 1) * bytesOf[this.type]
  }

  /** Makes the array `rows` long. */
  resize(rows: number): void {
    this.count = rows
    const shape = this.width === undefined ? `(${rows},)` : `(${rows}, ${this.width})`
    const text = `{'descr': '${this.type}', 'fortran_order': False, 'shape': ${shape}, }`
    const header = Buffer.alloc(headerBytes, ' ')
    header.write('\x93NUMPY\x01\x00', 0, 'latin1')
    header.writeUInt16LE(headerBytes - 10, 8)
    header.write(text, 10)
    header.write('\n', headerBytes - 1)
    writeSync(this.file, header, 0, headerBytes, 0)
    ftruncateSync(this.file, headerBytes + rows * this.rowBytes)
  }

  /** The bytes of `count` rows from row `from` on, in a buffer of their own. */
  read(from: number, count: number): Buffer {
    const bytes = Buffer.from(new ArrayBuffer(count * this.rowBytes))
    this.readInto(bytes, from)
    return bytes
  }

  /** All bytes, some megabytes at a time. */
  *pieces(): Generator<Buffer> {
    const rows = Math.ceil(2 ** 22 / this.rowBytes)
    for (let from = 0; from < this.rows; from += rows) yield this.read(from, Math.min(rows, this.rows - from))
  }

  /** Fills `bytes`, whole rows, with the rows from `from` on. */
  readInto(bytes: Uint8Array, from: number): void {
    const start = headerBytes + from * this.rowBytes
    for (let done = 0; done < bytes.length; ) {
      const got = readSync(this.file, bytes, done, Math.min(bytes.length - done, 2 ** 30), start + done)
      if (got === 0) throw new Error(`${this.path} ended early`)
      done += got
    }
  }

  /** Writes whole rows from row `from` on; the array grows where they reach beyond its end. */
  write(from: number, bytes: Uint8Array): void {
    const start = headerBytes + from * this.rowBytes
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.file, bytes, done, Math.min(bytes.length - done, 2 ** 30), start + done)
    }
    this.count = Math.max(this.count, from + bytes.length / this.rowBytes)
  }

  /** Waits until what was written is on the disk. */
  sync(): void {
    fsyncSync(this.file)
  }

  close(): void {
    closeSync(this.file)
  }
}
