/** Merges the rows of several sorted tables into one sorted table, reading each from front to back with little memory. */
import { compareIds, type Id, type SortedIds } from './ids.js'
import { arrayNames, mapArrays, type RawRows, type RowFiles } from './rows.js'

/** Rows read or returned at a time. */
const chunkRows = 2048

/** A position in sorted rows that moves from front to back. */
export class Cursor {
  private row = 0
  /** Row of the first of `chunkIds`. */
  private chunkStart = 0
  private chunkIds: Id[] = []
  private chunkData: RawRows | undefined

  constructor(
    private readonly ids: SortedIds,
    private readonly files: RowFiles,
  ) {
    this.readIds()
  }

  private readIds(): void {
    this.chunkStart = this.row
    this.chunkData = undefined
    this.chunkIds = this.ids.read(this.row, Math.min(chunkRows, this.ids.rows - this.row))
  }

  /** The id of this row; undefined at the end. */
  get id(): Id | undefined {
    return this.chunkIds[this.row - this.chunkStart]
  }

  /** The bits of `present` of this row. */
  get flags(): number {
    return this.chunk.present[this.row - this.chunkStart]
  }

  advance(): void {
    this.row++
    if (this.row - this.chunkStart === this.chunkIds.length) this.readIds()
  }

  /** Copies this row to row `to` of `out`. */
  copy(out: RawRows, to: number): void {
    const from = this.row - this.chunkStart
    for (const name of arrayNames) {
      const bytes = this.files.array(name).rowBytes
      this.chunk[name].copy(out[name], to * bytes, from * bytes, (from + 1) * bytes)
    }
  }

  private get chunk(): RawRows {
    this.chunkData ??= this.files.read(this.chunkStart, this.chunkIds.length)
    return this.chunkData
  }
}

export interface Chunk {
  ids: Id[]
  rows: RawRows
}

/**
 * Visits all ids of `cursors` in ascending order. For each id, `choose` gets the cursors that are at it (undefined for
 * the others) and returns the cursor whose row is taken, or undefined for none. `like` has rows of the same shape.
 */
export function* mergedRows(
  cursors: readonly Cursor[],
  choose: (found: readonly (Cursor | undefined)[], id: Id) => Cursor | undefined,
  like: RowFiles,
): Generator<Chunk> {
  let out = emptyChunk(like)
  for (;;) {
    let least: Id | undefined
    for (const { id } of cursors) {
      if (id !== undefined && (least === undefined || compareIds(id, least) < 0)) least = id
    }
    if (least === undefined) break
    const id = least
    const found = cursors.map((cursor) => (cursor.id === id ? cursor : undefined))
    const chosen = choose(found, id)
    if (chosen) {
      chosen.copy(out.rows, out.ids.length)
      out.ids.push(id)
      if (out.ids.length === chunkRows) {
        yield out
        out = emptyChunk(like)
      }
    }
    for (const cursor of found) cursor?.advance()
  }
  if (out.ids.length > 0) yield shortened(out, like)
}

const emptyChunk = (like: RowFiles): Chunk => ({
  ids: [],
  rows: mapArrays((name) => Buffer.from(new ArrayBuffer(chunkRows * like.array(name).rowBytes))),
})

const shortened = ({ ids, rows }: Chunk, like: RowFiles): Chunk => ({
  ids,
  rows: mapArrays((name) => rows[name].subarray(0, ids.length * like.array(name).rowBytes)),
})
