/**
 * Arrays on disk in NumPy's .npy format, version 1.0 (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 * Rows are read and written in place; NumPy opens the files without copying, `np.load(path, mmap_mode='r')`.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { UserError } from '../base/errors.js'
import { Resources } from '../base/resources.js'

const bytesOf = { '<f4': 4, '|i1': 1, '|u1': 1, '<i8': 8, '<u8': 8 } as const
export type NpyType = keyof typeof bytesOf

/** A multiple of 64, as the format requires, with room for any shape of two dimensions. */
const headerBytes = 128

/** An open array [rows] or [rows, width]. Close it when done. */
export class NpyFile implements Disposable {
  private constructor(
    readonly path: string,
    private readonly file: number,
    readonly type: NpyType,
    private count: number,
    /** Numbers per row; undefined for an array of one dimension. */
    readonly width: number | undefined,
  ) {}

  /** A new array of zeros; a sparse file, which takes disk space as rows are written. */
  static create(path: string, type: NpyType, rows: number, width?: number): NpyFile {
    using opened = new Resources()
    const array = opened.use(new NpyFile(path, openSync(path, 'w+'), type, rows, width))
    array.resize(rows)
    opened.release()
    return array
  }

  /** @throws UserError `store-broken` where the file is missing, cut short or not an array that `create` made. */
  static open(path: string, mode: 'r' | 'r+' = 'r'): NpyFile {
    const broken = (what: string) =>
      new UserError({ id: 'store-broken', where: path, what, remedy: 'run mim embed again, or copy the table again' })
    let file: number
    try {
      file = openSync(path, mode)
    } catch {
      throw broken('cannot be read')
    }
    try {
      const header = Buffer.alloc(headerBytes)
      const found = readSync(file, header, 0, headerBytes, 0)
      const text = header.toString('latin1')
      const [, type, shape] = /'descr': '([^']+)'.*'shape': \(([\d, ]+)\)/.exec(text) ?? []
      if (found < headerBytes || !text.startsWith('\x93NUMPY') || !type || !(type in bytesOf)) {
        throw broken('not a .npy array of mim')
      }
      const [rows, width] = Array.from(shape.matchAll(/\d+/g), Number)
      const array = new NpyFile(path, file, type as NpyType, rows, width)
      const size = headerBytes + rows * array.rowBytes
      if (fstatSync(file).size !== size) throw broken(`the file does not have the ${size} bytes of its ${rows} rows`)
      return array
    } catch (error) {
      closeSync(file)
      throw error
    }
  }

  get rows(): number {
    return this.count
  }

  get rowBytes(): number {
    return (this.width ?? 1) * bytesOf[this.type]
  }

  /** Sets the number of rows. */
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

  /** The bytes of `count` rows starting at row `from`, in a new buffer. */
  read(from: number, count: number): Buffer {
    const bytes = Buffer.from(new ArrayBuffer(count * this.rowBytes))
    this.readInto(bytes, from)
    return bytes
  }

  /** All bytes, 4 MiB at a time. */
  *pieces(): Generator<Buffer> {
    const rows = Math.ceil(2 ** 22 / this.rowBytes)
    for (let from = 0; from < this.rows; from += rows) yield this.read(from, Math.min(rows, this.rows - from))
  }

  /** Fills `bytes`, whole rows, with the rows starting at row `from`. */
  readInto(bytes: Uint8Array, from: number): void {
    const start = headerBytes + from * this.rowBytes
    for (let done = 0; done < bytes.length; ) {
      const got = readSync(this.file, bytes, done, Math.min(bytes.length - done, 2 ** 30), start + done)
      if (got === 0) throw new Error(`${this.path} ended early`)
      done += got
    }
  }

  /** Writes whole rows starting at row `from`; the array grows if they reach beyond its end. */
  write(from: number, bytes: Uint8Array): void {
    const start = headerBytes + from * this.rowBytes
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.file, bytes, done, Math.min(bytes.length - done, 2 ** 30), start + done)
    }
    this.count = Math.max(this.count, from + bytes.length / this.rowBytes)
  }

  /** Waits until all writes are on the disk (fsync). */
  sync(): void {
    fsyncSync(this.file)
  }

  close(): void {
    closeSync(this.file)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
