/**
 * Columns of numbers, in memory or, if that is too small, in files that are read piece by piece. A file has no name: it
 * is deleted when the process ends, however it ends.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type ArrayOf, arrayOf, Growing, type NumericArray, type NumericKind } from './growing.js'
import { takeRows } from './matrix.js'

/** Numbers of one kind. Sent to another thread a column becomes a plain object, which `revived` turns back. */
export abstract class Column<K extends NumericKind = NumericKind> {
  abstract readonly length: number

  /** The numbers `from` (inclusive) to `to` (exclusive); in memory they are a view. */
  abstract read(from?: number, to?: number): ArrayOf[K]

  /** The numbers of `rows`, each of `width` numbers; fast in files if most rows ascend. */
  abstract pick(rows: Int32Array, width?: number): ArrayOf[K]

  /** Overwrites the numbers from `from` on. */
  abstract write(from: number, values: ArrayOf[K]): void

  /** Numbers that `blocks` reads at once. */
  protected abstract readonly blockSize: number;

  /** The numbers from `from` to `to` in consecutive pieces, and where each begins. */
  *blocks(from = 0, to = this.length): Generator<{ from: number; values: ArrayOf[K] }> {
    for (let start = from; start < to; start += this.blockSize) {
      yield { from: start, values: this.read(start, Math.min(to, start + this.blockSize)) }
    }
  }

  /** As `blocks`, without the indices. */
  *values(from?: number, to?: number): Generator<ArrayOf[K]> {
    for (const { values } of this.blocks(from, to)) yield values
  }

  /** Sum of the numbers from `from` to `to`; not of int64. */
  sum(from?: number, to?: number): number {
    let total = 0
    for (const values of this.values(from, to)) for (let i = 0; i < values.length; i++) total += values[i] as number
    return total
  }
}

/** The type `T` with a column in place of each typed array. */
export type Stored<T> = T extends Int32Array
  ? Column<'int32'>
  : T extends Float32Array
    ? Column<'float32'>
    : T extends Float64Array
      ? Column<'float64'>
      : T extends Uint8Array
        ? Column<'uint8'>
        : T extends object
          ? { [K in keyof T]: Stored<T[K]> }
          : T

class MemoryColumn<K extends NumericKind> extends Column<K> {
  constructor(private readonly array: ArrayOf[K]) {
    super()
  }

  get length(): number {
    return this.array.length
  }

  protected get blockSize(): number {
    return Math.max(1, this.length)
  }

  read(from = 0, to = this.length): ArrayOf[K] {
    return this.array.subarray(from, to) as ArrayOf[K]
  }

  pick(rows: Int32Array, width = 1): ArrayOf[K] {
    return takeRows(this.array, width, rows)
  }

  write(from: number, values: ArrayOf[K]): void {
    ;(this.array as Int32Array).set(values as Int32Array, from)
  }
}

/** A column in memory. */
export function columnOf(array: Int32Array): Column<'int32'>
export function columnOf(array: Float32Array): Column<'float32'>
export function columnOf(array: Float64Array): Column<'float64'>
export function columnOf(array: Uint8Array): Column<'uint8'>
export function columnOf<K extends NumericKind>(array: ArrayOf[K]): Column<K>
export function columnOf<K extends NumericKind>(array: ArrayOf[K]): Column<K> {
  return new MemoryColumn(array)
}

/** Numbers that are read from or written to a file at once. */
const block = 2 ** 14

/** Numbers in a file, with the bytes that they have in memory. */
export class FileColumn<K extends NumericKind = NumericKind> extends Column<K> {
  protected readonly blockSize = block

  constructor(
    readonly kind: K,
    private readonly fd: number,
    public length = 0,
  ) {
    super()
  }

  read(from = 0, to = this.length): ArrayOf[K] {
    const values = new arrayOf[this.kind](to - from) as ArrayOf[K]
    this.readInto(values, from)
    return values
  }

  pick(rows: Int32Array, width = 1): ArrayOf[K] {
    const picked = new arrayOf[this.kind](rows.length * width) as Int32Array
    let [first, values] = [0, this.read(0, 0) as Int32Array]
    for (let i = 0; i < rows.length; i++) {
      const from = rows[i] * width
      if (from < first || from + width > first + values.length) {
        first = from
        values = this.read(first, Math.min(this.length, first + block * width)) as Int32Array
      }
      for (let k = 0; k < width; k++) picked[i * width + k] = values[from - first + k]
    }
    return picked as ArrayOf[K]
  }

  write(from: number, values: ArrayOf[K]): void {
    const bytes = bytesIn(values)
    const start = from * values.BYTES_PER_ELEMENT
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done, bytes.length - done, start + done)
  }

  private readInto(into: NumericArray, from: number): void {
    const bytes = bytesIn(into)
    const start = from * into.BYTES_PER_ELEMENT
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.fd, bytes, done, bytes.length - done, start + done)
      if (read === 0) throw new Error(`a column of ${this.length} numbers ends before index ${from + into.length}`)
      done += read
    }
  }
}

const bytesIn = ({ buffer, byteOffset, byteLength }: NumericArray) => new Uint8Array(buffer, byteOffset, byteLength)

/** A tree of plain objects and lists from another thread, with the columns in it made columns again. */
export function revived<T>(tree: T): T {
  if (Array.isArray(tree)) return tree.map(revived) as T
  if (typeof tree !== 'object' || tree === null) return tree
  if ('fd' in tree || 'array' in tree) {
    return Object.assign(Object.create('fd' in tree ? FileColumn.prototype : MemoryColumn.prototype), tree)
  }
  if (Object.getPrototypeOf(tree) !== Object.prototype) return tree
  return Object.fromEntries(Object.entries(tree).map(([name, value]) => [name, revived(value)])) as T
}

/** A column that fills up. */
export interface GrowingColumn<K extends NumericKind = NumericKind> {
  readonly length: number
  add(value: number): void
  at(index: number): number
  /** Removes all but the first `length` numbers. */
  cut(length: number): void
  push(items: NumericArray, from: number, count: number): void
  /** The column; nothing may be added afterwards. */
  column(): Column<K>
}

/** Makes columns, all of them in memory or all in files. */
export class ColumnStore {
  private readonly files: number[] = []

  /** Files are made in `folder`; without one columns stay in memory. */
  constructor(private readonly folder?: string) {}

  get isOnDisk(): boolean {
    return this.folder !== undefined
  }

  /** `expected`: how many numbers the column will have, if known. */
  growing<K extends NumericKind>(kind: K, expected?: number): GrowingColumn<K> {
    if (this.folder === undefined) return new GrowingMemory(kind, expected)
    return new GrowingFile(new FileColumn(kind, this.open(this.folder)))
  }

  zeros<K extends NumericKind>(kind: K, length: number): Column<K> {
    if (this.folder === undefined) return columnOf<K>(new arrayOf[kind](length) as ArrayOf[K])
    const fd = this.open(this.folder)
    ftruncateSync(fd, length * arrayOf[kind].BYTES_PER_ELEMENT)
    return new FileColumn(kind, fd, length)
  }

  /** `f` of each number and its index. */
  map<K extends NumericKind, L extends NumericKind>(
    column: Column<K>,
    kind: L,
    f: (value: number, index: number) => number,
  ): Column<L> {
    const mapped = this.growing(kind, column.length)
    for (const { from, values } of column.blocks()) {
      for (let i = 0; i < values.length; i++) mapped.add(f(values[i] as number, from + i))
    }
    return mapped.column()
  }

  /** Deletes the files of all columns. */
  close(): void {
    for (const fd of this.files.splice(0)) closeSync(fd)
  }

  private open(folder: string): number {
    mkdirSync(folder, { recursive: true })
    const path = join(folder, `column-${process.pid}`)
    const fd = openSync(path, 'w+')
    rmSync(path)
    this.files.push(fd)
    return fd
  }
}

class GrowingMemory<K extends NumericKind> extends Growing<K> implements GrowingColumn<K> {
  column(): Column<K> {
    return columnOf<K>(this.finish())
  }
}

/** As `Growing`, in a file except for the last numbers. */
class GrowingFile<K extends NumericKind> implements GrowingColumn<K> {
  /** Numbers after those in the file; the first `pending` of them are in use. */
  private readonly last: ArrayOf[K]
  private pending = 0
  /** The numbers that were read last from the file. */
  private page: { from: number; values: ArrayOf[K] }

  constructor(private readonly file: FileColumn<K>) {
    this.last = new arrayOf[file.kind](block) as ArrayOf[K]
    this.page = { from: 0, values: new arrayOf[file.kind](0) as ArrayOf[K] }
  }

  get length(): number {
    return this.file.length + this.pending
  }

  add(value: number): void {
    if (this.pending === block) this.flush()
    ;(this.last as Int32Array)[this.pending++] = value
  }

  at(index: number): number {
    const { file, last } = this
    if (index >= file.length) return last[index - file.length] as number
    if (index < this.page.from || index >= this.page.from + this.page.values.length) {
      this.page = { from: index, values: file.read(index, Math.min(file.length, index + block)) }
    }
    return this.page.values[index - this.page.from] as number
  }

  cut(length: number): void {
    const { file } = this
    this.pending = Math.max(0, length - file.length)
    if (length >= file.length) return
    file.length = length
    this.page.values = this.page.values.subarray(0, Math.max(0, length - this.page.from)) as ArrayOf[K]
  }

  push(items: NumericArray, from: number, count: number): void {
    for (let done = 0; done < count; ) {
      if (this.pending === block) this.flush()
      const part = Math.min(count - done, block - this.pending)
      ;(this.last as Int32Array).set((items as Int32Array).subarray(from + done, from + done + part), this.pending)
      this.pending += part
      done += part
    }
  }

  column(): Column<K> {
    this.flush()
    return this.file
  }

  private flush(): void {
    this.file.write(this.file.length, this.last.subarray(0, this.pending) as ArrayOf[K])
    this.file.length += this.pending
    this.pending = 0
  }
}

export interface RowRange {
  from: number
  to: number
}
