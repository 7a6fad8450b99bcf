/**
 * Sorted ids on disk, found by positioned reads. Integers are stored in `item_id.npy`. Strings, sorted by their UTF-8
 * bytes, are stored one after another in `item_id.utf8`, their ends in `item_id.ends.npy`. The first id of every block
 * is kept in memory, so opening reads only these and a search reads one block.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../base/errors.js'
import { writeWhole } from '../base/wholeWrite.js'
import { NpyFile } from '../formats/npy.js'

export type Id = bigint | string
export type IdKind = 'integer' | 'unsigned' | 'string'

/** Ids per block: 4 KiB of integers, the smallest read of most disks. */
const blockIds = 512

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
    if (this.numbers) this.numbers.write(this.count, numberBytes(ids as readonly bigint[], this.kind))
    if (this.ends && this.text !== undefined) {
      const parts = ids.map((id) => Buffer.from(id as string))
      const ends = BigInt64Array.from(parts, (part) => {
        this.bytes += part.length
        return BigInt(this.bytes)
      })
      writeWhole(this.text, Buffer.concat(parts), join(this.folder, files.text))
      this.ends.write(this.count, new Uint8Array(ends.buffer))
    }
    this.count += ids.length
  }

  /** Writes the number of ids and the first id of every block. */
  finish(): void {
    for (const array of [this.numbers, this.ends]) {
      array?.resize(this.count)
      array?.sync()
    }
    writeFileSync(join(this.folder, files.firsts), JSON.stringify(this.firsts))
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

  /** @throws UserError `store-broken` where a file is missing or cut short. */
  constructor(
    private readonly folder: string,
    readonly kind: IdKind,
  ) {
    try {
      if (kind === 'string') {
        this.ends = NpyFile.open(join(folder, files.ends))
        this.text = openSync(join(folder, files.text), 'r')
        const end = this.rows > 0 ? this.ends.read(this.rows - 1, 1).readBigInt64LE() : 0n
        if (end !== BigInt(fstatSync(this.text).size)) {
          throw new UserError({ id: 'store-broken', where: join(folder, files.text), what: 'the file is cut short' })
        }
      } else {
        this.numbers = NpyFile.open(join(folder, files.numbers))
      }
      const firsts = JSON.parse(readFileSync(join(folder, files.firsts), 'utf8')) as string[]
      this.firsts = kind === 'string' ? firsts : firsts.map(BigInt)
    } catch (error) {
      this.close()
      throw error
    }
  }

  get rows(): number {
    return (this.numbers ?? this.ends!).rows
  }

  /** `count` ids starting at row `from`. */
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
