/**
 * Columns of numbers, in memory or, where there is too little of it, in files that are read a stretch at a time. A
 * file has no name: it is gone with the process, whatever ends that.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type ArrayOf, arrayOf, Growing, type NumericArray, type NumericKind } from './growing.js'

/** Numbers that lie in a file as they would in memory; a plain object, for other threads to read it too. */
export interface FileColumn<K extends NumericKind = NumericKind> {
  kind: K
  length: number
  fd: number
}

export type Column<K extends NumericKind = NumericKind> = ArrayOf[K] | FileColumn<K>

/** What a tree of objects is whose typed arrays may each be a column in a file. */
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

/** Numbers that are read or written at once. */
const block = 2 ** 14

export const isFile = <K extends NumericKind>(column: Column<K>): column is FileColumn<K> => 'fd' in column

/** The numbers `from` (inclusive) to `to` (exclusive), of a column in memory as a view. */
export function stretch<K extends NumericKind>(column: Column<K>, from = 0, to = column.length): ArrayOf[K] {
  if (!isFile(column)) return column.subarray(from, to) as ArrayOf[K]
  const values = new arrayOf[column.kind](to - from)
  readInto(column, from, values)
  return values as ArrayOf[K]
}

/** The numbers from `from` to `to` in stretches that follow one another, and where each begins. */
export function* blocks<K extends NumericKind>(
  column: Column<K>,
  from = 0,
  to = column.length,
): Generator<{ from: number; values: ArrayOf[K] }> {
  const size = isFile(column) ? block : to - from
  for (let at = from; at < to; at += size) yield { from: at, values: stretch(column, at, Math.min(to, at + size)) }
}

/** As `blocks`, the numbers alone. */
export function* valuesOf<K extends NumericKind>(column: Column<K>, from?: number, to?: number): Generator<ArrayOf[K]> {
  for (const { values } of blocks(column, from, to)) yield values
}

/** Sum of the numbers from `from` to `to`. */
export function sum(column: Column<'uint8' | 'int32' | 'float32'>, from?: number, to?: number): number {
  let total = 0
  for (const values of valuesOf(column, from, to)) for (let i = 0; i < values.length; i++) total += values[i]
  return total
}

/** The numbers at `places`, each of which has `width` of them; of a file best where most places rise. */
export function pick<T extends NumericArray>(column: T, places: Int32Array, width?: number): T
export function pick<K extends NumericKind>(column: Column<K>, places: Int32Array, width?: number): ArrayOf[K]
export function pick(column: Column, places: Int32Array, width = 1): NumericArray {
  if (isFile(column)) return pickFromFile(column, places, width)
  const picked = new (column.constructor as typeof Int32Array)(places.length * width)
  if (width === 1) for (let i = 0; i < places.length; i++) picked[i] = column[places[i]] as number
  else {
    for (let i = 0; i < places.length; i++) {
      picked.set((column as Int32Array).subarray(places[i] * width, (places[i] + 1) * width), i * width)
    }
  }
  return picked
}

function pickFromFile(column: FileColumn, places: Int32Array, width: number): NumericArray {
  const picked = new arrayOf[column.kind](places.length * width) as Int32Array
  let [first, values] = [0, stretch(column, 0, 0) as Int32Array]
  for (let i = 0; i < places.length; i++) {
    const from = places[i] * width
    if (from < first || from + width > first + values.length) {
      first = from
      values = stretch(column, first, Math.min(column.length, first + block * width)) as Int32Array
    }
    for (let k = 0; k < width; k++) picked[i * width + k] = values[from - first + k]
  }
  return picked
}

/** Writes `values` over those of a column from place `from` on. */
export function put<K extends NumericKind>(column: Column<K>, from: number, values: ArrayOf[K]): void {
  if (isFile(column)) writeFrom(column, from, values)
  else (column as Int32Array).set(values as Int32Array, from)
}

/** Fills `into` with the numbers from place `from` on. */
export function readInto(column: FileColumn, from: number, into: NumericArray): void {
  const bytes = bytesIn(into)
  const start = from * into.BYTES_PER_ELEMENT
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(column.fd, bytes, done, bytes.length - done, start + done)
    if (read === 0) throw new Error(`a column of ${column.length} numbers ends before its place ${from}`)
    done += read
  }
}

function writeFrom({ fd }: FileColumn, from: number, values: NumericArray): void {
  const bytes = bytesIn(values)
  const start = from * values.BYTES_PER_ELEMENT
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, start + done)
}

const bytesIn = ({ buffer, byteOffset, byteLength }: NumericArray) => new Uint8Array(buffer, byteOffset, byteLength)

/** Makes columns, all of them in memory or all in files. */
export class ColumnStore {
  private readonly files: number[] = []

  /** Files are made in `folder`; without one columns stay in memory. */
  constructor(private readonly folder?: string) {}

  get isOnDisk(): boolean {
    return this.folder !== undefined
  }

  /** A column that fills up; `expected`: how many numbers it will have, if that is known. */
  growing<K extends NumericKind>(kind: K, expected?: number): Growing<K> | GrowingFile<K> {
    if (this.folder === undefined) return new Growing(kind, expected)
    return new GrowingFile({ kind, length: 0, fd: this.open(this.folder) })
  }

  zeros<K extends NumericKind>(kind: K, length: number): Column<K> {
    if (this.folder === undefined) return new arrayOf[kind](length) as ArrayOf[K]
    const fd = this.open(this.folder)
    ftruncateSync(fd, length * arrayOf[kind].BYTES_PER_ELEMENT)
    return { kind, length, fd }
  }

  /** What `f` makes of each number, given its place too. */
  map<K extends NumericKind, L extends NumericKind>(
    column: Column<K>,
    kind: L,
    f: (value: number, place: number) => number,
  ): Column<L> {
    const mapped = this.growing(kind, column.length)
    for (const { from, values } of blocks(column)) {
      for (let i = 0; i < values.length; i++) mapped.add(f(values[i] as number, from + i))
    }
    return mapped.finish()
  }

  /** Gives the room of all columns in files back. */
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

/** As `Growing`, in a file but for the last numbers. */
export class GrowingFile<K extends NumericKind> {
  private readonly last: ArrayOf[K]
  /** Numbers that are in memory alone, after `column.length` in the file. */
  private held = 0
  /** What was read last of those in the file. */
  private page: { from: number; values: ArrayOf[K] }

  constructor(private readonly column: FileColumn<K>) {
    this.last = new arrayOf[column.kind](block) as ArrayOf[K]
    this.page = { from: 0, values: new arrayOf[column.kind](0) as ArrayOf[K] }
  }

  get length(): number {
    return this.column.length + this.held
  }

  add(value: number): void {
    if (this.held === block) this.flush()
    ;(this.last as Int32Array)[this.held++] = value
  }

  at(place: number): number {
    const { column, last } = this
    if (place >= column.length) return last[place - column.length] as number
    if (place < this.page.from || place >= this.page.from + this.page.values.length) {
      this.page = { from: place, values: stretch(column, place, Math.min(column.length, place + block)) }
    }
    return this.page.values[place - this.page.from] as number
  }

  cut(length: number): void {
    const { column } = this
    this.held = Math.max(0, length - column.length)
    if (length >= column.length) return
    column.length = length
    this.page.values = this.page.values.subarray(0, Math.max(0, length - this.page.from)) as ArrayOf[K]
  }

  push(items: NumericArray, from: number, count: number): void {
    for (let done = 0; done < count; ) {
      if (this.held === block) this.flush()
      const part = Math.min(count - done, block - this.held)
      ;(this.last as Int32Array).set((items as Int32Array).subarray(from + done, from + done + part), this.held)
      this.held += part
      done += part
    }
  }

  finish(): FileColumn<K> {
    this.flush()
    return this.column
  }

  private flush(): void {
    writeFrom(this.column, this.column.length, this.last.subarray(0, this.held))
    this.column.length += this.held
    this.held = 0
  }
}

export interface RowRange {
  from: number
  to: number
}
