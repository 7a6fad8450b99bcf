/**
 * A published embedding table, opened for look-up by id. The folder holds `manifest.json`, the sorted ids, the
 * arrays of `RowFiles`, and the same rows as Parquet. To open reads the manifest and one id of 512; what is
 * looked up is read from its place. Several tables, e.g. two versions, may be open at once.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../base/errors.js'
import { type Id, type IdKind, SortedIds } from './ids.js'
import { asFloats, flags, RowFiles, type VectorName, type VectorType } from './rows.js'

/** Where the published table lies in the run folder. */
export const tableFolder = 'embeddings'
export const manifestFile = 'manifest.json'
const format = 1

/** How vectors lie in Parquet: as lists, or as lists that are all of one size. */
export const listKinds = ['variable', 'fixed'] as const
export type ListKind = (typeof listKinds)[number]

export interface Manifest {
  format: number
  rows: number
  ids: IdKind
  /** DuckDB type of the ids, for Parquet. */
  id_type: string
  type: VectorType
  /** What stored numbers are multiplied by. */
  scale: number
  widths: Record<VectorName, number>
  /** Names the weights and all that decides what they make of an item. */
  model_version: string
  /** Share of the words of titles in cosines; absent: none. */
  words?: number
  lists: ListKind
  /** Are the arrays there as safetensors, too? */
  safetensors: boolean
  /** Set for a part: which of how many, and of what catalogue. */
  shard?: { index: number; count: number; catalogue: string }
}

export const currentFormat = format

/** The manifest of a table's folder; undefined where it has none. */
export function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, manifestFile)
  if (!existsSync(path)) return undefined
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest
  if (manifest.format === format) return manifest
  throw new UserError({
    id: 'store-format',
    where: path,
    what: `format ${manifest.format}`,
    expected: `format ${format}`,
    remedy: 'run mim embed again',
  })
}

/** The table that `path` means, were it the folder of one or of a run that has one; undefined where it is neither. */
export function publishedFolder(path: string): string | undefined {
  // A later table may be published while this one is read.
  return [path, join(path, tableFolder)]
    .filter((folder) => existsSync(join(folder, manifestFile)))
    .map((folder) => realpathSync(folder))[0]
}

/** Vectors of some ids. */
export interface Found {
  /** [ids, width]; rows of misses are zero. */
  vectors: Float32Array
  /** 1 where the table has the id, and the vector asked for, else 0. */
  found: Uint8Array
}

export class EmbeddingTable {
  private constructor(
    /** The folder itself, were it given by a link or by its run. */
    readonly folder: string,
    readonly manifest: Manifest,
    readonly ids: SortedIds,
    readonly rows: RowFiles,
  ) {}

  /** @throws UserError `store-missing` for a folder that is no published table; `store-broken`, `store-format`. */
  static open(path: string): EmbeddingTable {
    const folder = publishedFolder(path)
    const manifest = folder && readManifest(folder)
    if (!manifest) {
      const remedy = 'give the embeddings folder of a run of mim embed'
      throw new UserError({ id: 'store-missing', where: path, what: 'no embedding table here', remedy })
    }
    const ids = new SortedIds(folder, manifest.ids)
    const rows = RowFiles.open(folder)
    if (ids.rows !== rows.rows || ids.rows !== manifest.rows) {
      const what = `${ids.rows} ids, ${rows.rows} vectors, ${manifest.rows} by the manifest`
      throw new UserError({ id: 'store-broken', where: path, what, remedy: 'copy or make the table again' })
    }
    return new EmbeddingTable(folder, manifest, ids, rows)
  }

  get width(): number {
    return this.manifest.widths.embedding
  }

  /** Rows where the vectors of `ids` lie; −1 where the table lacks the id, or this vector of it. */
  find(ids: readonly Id[], name: VectorName = 'embedding'): Int32Array {
    const rows = this.ids.find(ids)
    const present = this.rows.array('present')
    const bit = { embedding: flags.embedding, image_embedding: flags.image, text_embedding: flags.text }[name]
    for (const { first, count, places } of runs(rows, present.rowBytes)) {
      const held = present.read(first, count)
      for (const place of places) if (!(held[rows[place] - first] & bit)) rows[place] = -1
    }
    return rows
  }

  /** Vectors of `ids`, in their order. */
  get(ids: readonly Id[], name: VectorName = 'embedding'): Found {
    const rows = this.find(ids, name)
    return { vectors: this.at(rows, name), found: Uint8Array.from(rows, (row) => (row < 0 ? 0 : 1)) }
  }

  /** Vectors at `rows`, [rows, width]; zeros for −1. */
  at(rows: Int32Array, name: VectorName = 'embedding'): Float32Array {
    return asFloats(this.stored(rows, name), this.manifest.type)
  }

  /** The bytes of the vectors at `rows`, as they are stored; zeros for −1. */
  stored(rows: Int32Array, name: VectorName): Uint8Array {
    const array = this.rows.array(name)
    const size = array.rowBytes
    const out = new Uint8Array(rows.length * size)
    for (const { first, count, places } of runs(rows, size)) {
      const held = array.read(first, count)
      for (const place of places)
        held.copy(out, place * size, (rows[place] - first) * size, (rows[place] - first + 1) * size)
    }
    return out
  }

  /** All vectors in the order of the ids, `count` at a time: [rows, width]. */
  *blocks(
    count: number,
    name: VectorName = 'embedding',
  ): Generator<{ from: number; rows: number; vectors: Float32Array }> {
    for (let from = 0; from < this.manifest.rows; from += count) {
      const rows = Math.min(count, this.manifest.rows - from)
      yield { from, rows, vectors: asFloats(this.rows.array(name).read(from, rows), this.manifest.type) }
    }
  }

  close(): void {
    this.ids.close()
    this.rows.close()
  }
}

/** Bytes that are read in vain rather than with another read: what a disk reads at least. */
const page = 4096

interface Stretch {
  first: number
  count: number
  /** Indices of the rows that lie in it. */
  places: number[]
}

/** Stretches of `rows` that are read together; −1 is in none. */
function runs(rows: Int32Array, rowBytes: number): Stretch[] {
  const order = Array.from(rows.keys())
    .filter((i) => rows[i] >= 0)
    .sort((a, b) => rows[a] - rows[b])
  const out: Stretch[] = []
  for (const place of order) {
    const row = rows[place]
    const last = out.at(-1)
    if (last && (row - last.first - last.count) * rowBytes <= page) {
      last.count = row - last.first + 1
      last.places.push(place)
    } else out.push({ first: row, count: 1, places: [place] })
  }
  return out
}
