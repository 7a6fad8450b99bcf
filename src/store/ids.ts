/**
 * Sorted ids on disk, found by positioned reads. Integers lie in `item_id.npy`; strings, sorted by their UTF-8
 * bytes, one after the other in `item_id.utf8` with their ends in `item_id.ends.npy`. Of every block of ids the
 * first is held in memory, so that a search reads one block; to open reads the firsts alone.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../base/errors.js'
import { NpyFile } from '../formats/npy.js'

export type Id = bigint | string
export type IdKind = 'integer' | 'unsigned' | 'string'

/** Ids of a block: 4 KiB of integers, what a disk reads at least. */
const block = 512

const files = { numbers: 'item_id.npy', text: 'item_id.utf8', ends: 'item_id.ends.npy', firsts: 'item_id.firsts' }

/** Name of the file that holds ids of a kind. */
export const idFile = (kind: IdKind) => (kind === 'string' ? files.text : files.numbers)

/** What kind of ids a column of this DuckDB type has. */
export function idKind(type: string): IdKind {
  if (type === 'VARCHAR') return 'string'
  return type === 'UBIGINT' ? 'unsigned' : 'integer'
}

/** Negative where `a` comes before `b`: numbers by size, strings by their UTF-8 bytes, as DuckDB sorts. */
export function compareIds(a: Id, b: Id): number {
  if (typeof a === 'bigint' || typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0
  // Without surrogates the order of UTF-16 units is that of the bytes.
  if (plain.test(a) && plain.test(b)) return a < b ? -1 : a > b ? 1 : 0
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

const plain = /^[^\ud800-\udfff]*$/

/** Writes ids that come in ascending order. */
export class IdWriter {
  private readonly numbers: NpyFile | undefined
  private readonly ends: NpyFile | undefined
  private readonly text: number | undefined
  private readonly firsts: string[] = []
  private bytes = 0
  private count = 0

  constructor(
    private readonly folder: string,
    private readonly kind: IdKind,
  ) {
    if (kind === 'string') {
      this.text = openSync(join(folder, files.text), 'w')
      this.ends = NpyFile.create(join(folder, files.ends), '<i8', 0)
    } else {
      this.numbers = NpyFile.create(join(folder, files.numbers), kind === 'unsigned' ? '<u8' : '<i8', 0)
    }
  }

  add(ids: readonly Id[]): void {
    for (let i = (block - (this.count % block)) % block; i < ids.length; i += block) this.firsts.push(String(ids[i]))
    if (this.numbers) this.numbers.write(this.count, numberBytes(ids as readonly bigint[], this.kind))
    if (this.ends && this.text !== undefined) {
      const parts = ids.map((id) => Buffer.from(id as string))
      const ends = BigInt64Array.from(parts, (part) => {
        this.bytes += part.length
        return BigInt(this.bytes)
      })
      writeSync(this.text, Buffer.concat(parts))
      this.ends.write(this.count, new Uint8Array(ends.buffer))
    }
    this.count += ids.length
  }

  /** Completes the files; `sync`: once they are on the disk. */
  finish(): void {
    for (const array of [this.numbers, this.ends]) {
      array?.resize(this.count)
      array?.sync()
      array?.close()
    }
    if (this.text !== undefined) closeSync(this.text)
    writeFileSync(join(this.folder, files.firsts), JSON.stringify(this.firsts))
  }
}

function numberBytes(ids: readonly bigint[], kind: IdKind): Uint8Array {
  const numbers = kind === 'unsigned' ? BigUint64Array.from(ids) : BigInt64Array.from(ids)
  return new Uint8Array(numbers.buffer)
}

/** Sorted ids of a folder, opened. */
export class SortedIds {
  private readonly numbers: NpyFile | undefined
  private readonly ends: NpyFile | undefined
  private readonly text: number | undefined
  private readonly firsts: readonly Id[]

  constructor(
    private readonly folder: string,
    readonly kind: IdKind,
  ) {
    if (kind === 'string') {
      this.ends = NpyFile.open(join(folder, files.ends))
      this.text = openSync(join(folder, files.text), 'r')
      if (this.ends.rows > 0 && this.ends.read(this.rows - 1, 1).readBigInt64LE() !== BigInt(fstatSync(this.text).size))
        throw new UserError({ id: 'store-broken', where: join(folder, files.text), what: 'the file is cut short' })
    } else {
      this.numbers = NpyFile.open(join(folder, files.numbers))
    }
    const firsts = JSON.parse(readFileSync(join(folder, files.firsts), 'utf8')) as string[]
    this.firsts = kind === 'string' ? firsts : firsts.map(BigInt)
  }

  get rows(): number {
    return (this.numbers ?? this.ends!).rows
  }

  /** `count` ids from row `from` on. */
  read(from: number, count: number): Id[] {
    if (count === 0) return []
    if (this.numbers) {
      const { buffer } = this.numbers.read(from, count)
      return Array.from(this.kind === 'unsigned' ? new BigUint64Array(buffer) : new BigInt64Array(buffer))
    }
    const before = from === 0 ? 0 : 1
    const ends = Array.from(new BigInt64Array(this.ends!.read(from - before, count + before).buffer), Number)
    const start = before ? ends[0] : 0
    const bytes = Buffer.alloc(ends[ends.length - 1] - start)
    for (let done = 0; done < bytes.length; ) {
      const got = readSync(this.text!, bytes, done, bytes.length - done, start + done)
      if (got === 0) throw new Error(`${this.folder}: ${files.text} ended early`)
      done += got
    }
    return ends
      .slice(before)
      .map((end, i) => bytes.toString('utf8', (i + before === 0 ? 0 : ends[i + before - 1]) - start, end - start))
  }

  /** Row of each id; −1 where it is absent. Ids that lie together are found with one read. */
  find(ids: readonly Id[]): Int32Array {
    const rows = new Int32Array(ids.length).fill(-1)
    const order = ids.map((_, i) => i).sort((a, b) => compareIds(ids[a], ids[b]))
    let at = -1
    let held: Id[] = []
    for (const i of order) {
      const b = lastNotAbove(this.firsts, ids[i])
      if (b < 0) continue
      if (b !== at) held = this.read(b * block, Math.min(block, this.rows - b * block))
      at = b
      const place = lastNotAbove(held, ids[i])
      if (held[place] === ids[i]) rows[i] = b * block + place
    }
    return rows
  }

  close(): void {
    this.numbers?.close()
    this.ends?.close()
    if (this.text !== undefined) closeSync(this.text)
  }
}

/** Index of the last of the sorted `ids` that does not come after `id`; −1 where all do. */
function lastNotAbove(ids: readonly Id[], id: Id): number {
  let [low, high] = [0, ids.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareIds(ids[middle], id) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}
