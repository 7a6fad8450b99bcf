/**
 * Sorted ids on disk, found by positioned reads. Integers are stored in `item_id.npy`. Strings, sorted by their UTF-8
 * bytes, are stored one after another in `item_id.utf8`, their ends in `item_id.ends.npy`. The first id of every block
 * is kept in memory, so opening reads only these and a search reads one block.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Recovery, readJson, requireFile } from '../base/ownFile.js'
import { writeWhole } from '../base/wholeWrite.js'
import { NpyFile } from '../formats/npy.js'
import { brokenTable } from './broken.js'
import type { Summing } from './sums.js'

export type Id = bigint | string
export type IdKind = 'integer' | 'unsigned' | 'string'

/** Ids per block: 4 KiB of integers, the smallest read of most disks. */
const blockIds = 512
/** Ids that `check` reads at a time: whole blocks. */
const checkedIds = 16 * blockIds

const files = { numbers: 'item_id.npy', text: 'item_id.utf8', ends: 'item_id.ends.npy', firsts: 'item_id.firsts' }

/** Name of the file that stores ids of a kind. */
export const idFile = (kind: IdKind) => (kind === 'string' ? files.text : files.numbers)

/** The kind of ids in a column of this DuckDB type. */
export function idKind(type: string): IdKind {
  if (type === 'VARCHAR') return 'string'
  return type === 'UBIGINT' ? 'unsigned' : 'integer'
}

/** Negative where `a` comes before `b`: numbers by value, strings by their UTF-8 bytes, as DuckDB sorts. */
export function compareIds(a: Id, b: Id): number {
  if (typeof a === 'bigint' || typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0
  // Without surrogates, UTF-16 units have the same order as UTF-8 bytes.
  if (withoutSurrogates.test(a) && withoutSurrogates.test(b)) return a < b ? -1 : a > b ? 1 : 0
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

const withoutSurrogates = /^[^\ud800-\udfff]*$/

/** Writes ids that come in ascending order. Call `finish` when all are added, and close it. */
export class IdWriter implements Disposable {
  private readonly numbers: NpyFile | undefined
  private readonly ends: NpyFile | undefined
  private readonly text: number | undefined
  private readonly firsts: string[] = []
  private bytes = 0
  private count = 0

  constructor(
    private readonly folder: string,
    private readonly kind: IdKind,
    private readonly sums?: Summing,
  ) {
    if (kind === 'string') {
      this.ends = NpyFile.create(join(folder, files.ends), '<i8', 0)
      this.text = openSync(join(folder, files.text), 'w')
    } else {
      this.numbers = NpyFile.create(join(folder, files.numbers), kind === 'unsigned' ? '<u8' : '<i8', 0)
    }
  }

  add(ids: readonly Id[]): void {
    const toBlock = (blockIds - (this.count % blockIds)) % blockIds
    for (let i = toBlock; i < ids.length; i += blockIds) this.firsts.push(String(ids[i]))
    if (this.numbers) {
      const bytes = numberBytes(ids as readonly bigint[], this.kind)
      this.numbers.write(this.count, bytes)
      this.sums?.add(files.numbers, bytes)
    }
    if (this.ends && this.text !== undefined) {
      const parts = ids.map((id) => Buffer.from(id as string))
      const ends = BigInt64Array.from(parts, (part) => {
        this.bytes += part.length
        return BigInt(this.bytes)
      })
      const text = Buffer.concat(parts)
      writeWhole(this.text, text, join(this.folder, files.text))
      this.ends.write(this.count, new Uint8Array(ends.buffer))
      this.sums?.add(files.text, text)
      this.sums?.add(files.ends, new Uint8Array(ends.buffer))
    }
    this.count += ids.length
  }

  /** Writes the number of ids and the first id of every block. */
  finish(): void {
    for (const array of [this.numbers, this.ends]) {
      array?.resize(this.count)
      array?.sync()
    }
    const firsts = Buffer.from(JSON.stringify(this.firsts))
    writeFileSync(join(this.folder, files.firsts), firsts)
    this.sums?.add(files.firsts, firsts)
    // A table without rows has these files, too.
    const empty = new Uint8Array(0)
    for (const name of this.kind === 'string' ? [files.text, files.ends] : [files.numbers]) this.sums?.add(name, empty)
  }

  [Symbol.dispose](): void {
    closeFiles(this.numbers, this.ends, this.text)
  }
}

function numberBytes(ids: readonly bigint[], kind: IdKind): Uint8Array {
  const numbers = kind === 'unsigned' ? BigUint64Array.from(ids) : BigInt64Array.from(ids)
  return new Uint8Array(numbers.buffer)
}

/** The sorted ids of a folder. Close it when done. */
export class SortedIds implements Disposable {
  private readonly numbers: NpyFile | undefined
  private readonly ends: NpyFile | undefined
  private readonly text: number | undefined
  private readonly firsts: readonly Id[]

  /** @throws UserError `store-broken` where a file is missing, cut short or not sorted, as far as it is read. */
  constructor(
    private readonly folder: string,
    readonly kind: IdKind,
    rows?: number,
  ) {
    try {
      if (kind === 'string') {
        this.ends = NpyFile.open(join(folder, files.ends), 'r', { type: '<i8', rows })
        this.text = openText(join(folder, files.text))
        const end = this.rows > 0 ? this.ends.read(this.rows - 1, 1).readBigInt64LE() : 0n
        const { size } = fstatSync(this.text)
        if (end !== BigInt(size))
          throw brokenTable(join(folder, files.text), `${size} bytes`, `${end}, the end of its last id`)
      } else {
        const type = kind === 'unsigned' ? '<u8' : '<i8'
        this.numbers = NpyFile.open(join(folder, files.numbers), 'r', { type, rows })
      }
      this.firsts = readFirsts(join(folder, files.firsts), kind, this.rows)
    } catch (error) {
      this.close()
      throw error
    }
  }

  get rows(): number {
    return (this.numbers ?? this.ends!).rows
  }

  /**
   * `count` ids starting at row `from`.
   * @throws UserError `store-broken` where they do not ascend: a search would miss them.
   */
  read(from: number, count: number): Id[] {
    if (count === 0) return []
    const ids = this.readUnchecked(from, count)
    for (let i = 0; i < count; i++) {
      const [row, isFirst] = [from + i, (from + i) % blockIds === 0]
      if (isFirst && ids[i] !== this.firsts[row / blockIds]) throw this.unsorted(row, ids[i])
      if (i > 0 && compareIds(ids[i - 1], ids[i]) >= 0) throw this.unsorted(row, ids[i])
    }
    const next = from + count
    const after = next % blockIds === 0 ? this.firsts[next / blockIds] : undefined
    if (after !== undefined && compareIds(ids[count - 1], after) >= 0) throw this.unsorted(next, after)
    return ids
  }

  /** Reads all ids. @throws UserError `store-broken` unless all ascend */
  check(): void {
    for (let from = 0; from < this.rows; from += checkedIds) this.read(from, Math.min(checkedIds, this.rows - from))
  }

  private unsorted(row: number, id: Id) {
    return brokenTable(join(this.folder, idFile(this.kind)), `row ${row + 1}: id ${id}`, 'ascending ids, each once')
  }

  private readUnchecked(from: number, count: number): Id[] {
    if (this.numbers) {
      const { buffer } = this.numbers.read(from, count)
      return Array.from(this.kind === 'unsigned' ? new BigUint64Array(buffer) : new BigInt64Array(buffer))
    }
    const before = from === 0 ? 0 : 1
    const ends = Array.from(new BigInt64Array(this.ends!.read(from - before, count + before).buffer), Number)
    const start = before ? ends[0] : 0
    const { size } = fstatSync(this.text!)
    const odd = ends.findIndex((end, i) => end < (i === 0 ? 0 : ends[i - 1]) || end > size)
    if (odd >= 0) {
      const what = `row ${from - before + odd + 1}: an id that ends at byte ${ends[odd]}`
      throw brokenTable(join(this.folder, files.ends), what, `ascending ends up to ${size}`)
    }
    const bytes = Buffer.alloc(ends[ends.length - 1] - start)
    for (let done = 0; done < bytes.length; ) {
      const got = readSync(this.text!, bytes, done, bytes.length - done, start + done)
      if (got === 0) throw brokenTable(join(this.folder, files.text), 'the file was cut short while it was read')
      done += got
    }
    return ends
      .slice(before)
      .map((end, i) => bytes.toString('utf8', (i + before === 0 ? 0 : ends[i + before - 1]) - start, end - start))
  }

  /** Row of each id; −1 where it is absent. Ids of one block are found with one read. */
  find(ids: readonly Id[]): Int32Array {
    const rows = new Int32Array(ids.length).fill(-1)
    const order = ids.map((_, i) => i).sort((a, b) => compareIds(ids[a], ids[b]))
    let current = -1
    let blockOfIds: Id[] = []
    for (const i of order) {
      const block = lastNotAbove(this.firsts, ids[i])
      if (block < 0) continue
      const from = block * blockIds
      if (block !== current) blockOfIds = this.read(from, Math.min(blockIds, this.rows - from))
      current = block
      const position = lastNotAbove(blockOfIds, ids[i])
      if (blockOfIds[position] === ids[i]) rows[i] = from + position
    }
    return rows
  }

  close(): void {
    closeFiles(this.numbers, this.ends, this.text)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function openText(path: string): number {
  try {
    requireFile(path, { remedy: '' }, Number.POSITIVE_INFINITY)
    return openSync(path, 'r')
  } catch {
    throw brokenTable(path, 'cannot be read')
  }
}

/** The first id of every block of a table of `rows`. @throws UserError `store-broken` unless they ascend */
function readFirsts(path: string, kind: IdKind, rows: number): Id[] {
  const recovery = { id: 'store-broken', remedy: 'copy the table again, or remove it and run mim embed again' }
  const text = kind === 'string' ? z.string() : z.string().regex(/^-?\d{1,20}$/)
  const read = existingJson(path, z.array(text), recovery)
  const firsts: Id[] = kind === 'string' ? read : read.map(BigInt)
  const blocks = Math.ceil(rows / blockIds)
  if (firsts.length !== blocks)
    throw brokenTable(path, `${firsts.length} ids`, `${blocks}, one for each ${blockIds} rows`)
  const odd = firsts.findIndex((id, i) => i > 0 && compareIds(firsts[i - 1], id) >= 0)
  if (odd >= 0) throw brokenTable(path, `id ${firsts[odd]} after ${firsts[odd - 1]}`, 'ascending ids, each once')
  return firsts
}

function existingJson<S extends z.ZodType>(path: string, schema: S, recovery: Recovery): z.output<S> {
  if (!existsSync(path)) throw brokenTable(path, 'cannot be read')
  return readJson(path, schema, recovery)
}

function closeFiles(numbers: NpyFile | undefined, ends: NpyFile | undefined, text: number | undefined): void {
  numbers?.close()
  ends?.close()
  if (text !== undefined) closeSync(text)
}

/** Position of the last of the sorted `ids` that does not come after `id`; −1 where all do. */
function lastNotAbove(ids: readonly Id[], id: Id): number {
  let [low, high] = [0, ids.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareIds(ids[middle], id) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}
