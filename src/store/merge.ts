/** Rows of several sorted tables as one sorted table, read from front to back with little memory. */
import { compareIds, type Id, type SortedIds } from './ids.js'
import { type RawRows, type RowFiles, vectorNames } from './rows.js'

/** Rows of a step: enough for long reads. */
const chunk = 2048

/** Sorted rows that are read from front to back. */
export class Cursor {
  private row = 0
  private held: Id[] = []
  private from = 0
  private raw: RawRows | undefined

  constructor(
    private readonly ids: SortedIds,
    private readonly files: RowFiles,
  ) {
    this.fill()
  }

  private fill(): void {
    this.from = this.row
    this.raw = undefined
    this.held = this.ids.read(this.row, Math.min(chunk, this.ids.rows - this.row))
  }

  /** Undefined at the end. */
  get id(): Id | undefined {
    return this.held[this.row - this.from]
  }

  /** The bits of `present`. */
  get flags(): number {
    return this.rows.present[this.row - this.from]
  }

  advance(): void {
    this.row++
    if (this.row - this.from === this.held.length) this.fill()
  }

  /** Copies this row to row `to` of `out`. */
  copy(out: RawRows, to: number): void {
    const place = this.row - this.from
    for (const name of [...vectorNames, 'content_hash', 'present'] as const) {
      const bytes = this.files.array(name).rowBytes
      this.rows[name].copy(out[name], to * bytes, place * bytes, (place + 1) * bytes)
    }
  }

  private get rows(): RawRows {
    this.raw ??= this.files.read(this.from, this.held.length)
    return this.raw
  }
}

export interface Chunk {
  ids: Id[]
  rows: RawRows
}

/**
 * Walks through all ids of `cursors` in order. For each, `choose` gets the cursors that have it (undefined for
 * those that have not) and gives the one whose row is taken, or undefined. `like` has rows of the same shape.
 */
export function* mergedRows(
  cursors: readonly Cursor[],
  choose: (at: readonly (Cursor | undefined)[], id: Id) => Cursor | undefined,
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
    const at = cursors.map((cursor) => (cursor.id === id ? cursor : undefined))
    const chosen = choose(at, id)
    if (chosen) {
      chosen.copy(out.rows, out.ids.length)
      out.ids.push(id)
      if (out.ids.length === chunk) {
        yield out
        out = emptyChunk(like)
      }
    }
    for (const cursor of at) cursor?.advance()
  }
  if (out.ids.length > 0) yield cut(out, like)
}

function emptyChunk(like: RowFiles): Chunk {
  const buffer = (name: keyof RawRows) => Buffer.from(new ArrayBuffer(chunk * like.array(name).rowBytes))
  return {
    ids: [],
    rows: {
      embedding: buffer('embedding'),
      image_embedding: buffer('image_embedding'),
      text_embedding: buffer('text_embedding'),
      content_hash: buffer('content_hash'),
      present: buffer('present'),
    },
  }
}

function cut({ ids, rows }: Chunk, like: RowFiles): Chunk {
  const part = (name: keyof RawRows) => rows[name].subarray(0, ids.length * like.array(name).rowBytes)
  return {
    ids,
    rows: {
      embedding: part('embedding'),
      image_embedding: part('image_embedding'),
      text_embedding: part('text_embedding'),
      content_hash: part('content_hash'),
      present: part('present'),
    },
  }
}
