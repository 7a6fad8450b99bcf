/**
 * Arrays on disk in NumPy's .npy format, version 1.0 (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 * Rows are read and written in place; NumPy opens the files without copying, `np.load(path, mmap_mode='r')`.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { UserError } from '../base/errors.js'
import { requireFile } from '../base/ownFile.js'
import { Resources } from '../base/resources.js'

const bytesOf = { '<f4': 4, '|i1': 1, '|u1': 1, '<i8': 8, '<u8': 8 } as const
export type NpyType = keyof typeof bytesOf

/** A multiple of 64, as the format requires, with room for any shape of two dimensions. */
const headerBytes = 128

export { headerBytes as npyHeaderBytes }

/** What a file must be, besides being an array. */
export interface NpyShape {
  type: NpyType
  rows?: number
  /** Numbers per row; undefined for an array of one dimension. */
  width?: number
}

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

  /**
   * Opens an array that `create` made; of shape `expected`, if that is known.
   * @throws UserError `store-broken` where the file is missing, cut short or another array.
   */
  static open(path: string, mode: 'r' | 'r+' = 'r', expected?: NpyShape): NpyFile {
    let file: number
    try {
      requireFile(path, { id: 'store-broken', remedy }, Number.POSITIVE_INFINITY)
      file = openSync(path, mode)
    } catch (error) {
      throw error instanceof UserError ? error : broken(path, 'cannot be read')
    }
    try {
      const header = Buffer.alloc(headerBytes)
      const found = readSync(file, header, 0, headerBytes, 0)
      const { type, rows, width } = shapeIn(header.subarray(0, found), path)
      if (expected) requireShape(path, { type, rows, width }, expected)
      const array = new NpyFile(path, file, type, rows, width)
      const size = headerBytes + rows * array.rowBytes
      const { size: bytes } = fstatSync(file)
      if (bytes !== size) throw broken(path, `${bytes} bytes`, `the ${size} bytes of its ${rows} rows`)
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
      if (got === 0) throw broken(this.path, 'the file was cut short while it was read')
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

const remedy = 'copy the table again, or remove it and run mim embed again'

const broken = (where: string, what: string, expected?: string) =>
  new UserError({ id: 'store-broken', where, what, expected, remedy })

/** The one header that `resize` writes: little endian, rows one after another. NumPy writes such arrays the same way. */
const headerText =
  /^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \((\d{1,15}), ?(\d{1,15})?\), \} *\n$/

/** Type and shape in the bytes of a header. @throws UserError `store-broken` */
function shapeIn(header: Buffer, path: string): Required<Omit<NpyShape, 'width'>> & Pick<NpyShape, 'width'> {
  if (header.toString('latin1', 0, 6) !== '\x93NUMPY') throw broken(path, 'not a .npy file')
  const [major, minor] = [header[6], header[7]]
  if (major !== 1 || minor !== 0) throw broken(path, `version ${major}.${minor} of the .npy format`, 'version 1.0')
  const length = header.length < headerBytes ? undefined : header.readUInt16LE(8)
  if (length !== headerBytes - 10) {
    throw broken(path, `a header of ${length ?? 'too few'} bytes`, `${headerBytes - 10}, as mim writes it`)
  }
  const text = header.toString('latin1', 10)
  const [, type, fortran, rows, width] = headerText.exec(text) ?? []
  if (type === undefined) throw broken(path, `its header is ${text.trim()}`, 'an array of mim')
  if (!Object.hasOwn(bytesOf, type)) throw broken(path, `numbers of type ${type}`, Object.keys(bytesOf).join(', '))
  if (fortran === 'True') throw broken(path, 'fortran_order is True', 'rows one after another')
  return { type: type as NpyType, rows: Number(rows), width: width === undefined ? undefined : Number(width) }
}

/** @throws UserError `store-broken` */
function requireShape(path: string, found: NpyShape, expected: NpyShape): void {
  const shown = ({ type, rows, width }: NpyShape) => `${type} [${[rows ?? 'rows', width].filter(isSet).join(', ')}]`
  const rows = expected.rows ?? found.rows
  if (found.type === expected.type && found.width === expected.width && found.rows === rows) return
  throw broken(path, shown(found), `${shown({ ...expected, rows })}, as in the manifest`)
}

const isSet = (value: unknown) => value !== undefined
