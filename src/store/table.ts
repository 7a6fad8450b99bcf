/**
 * A published embedding table, opened for look-up by id. The folder holds `manifest.json`, the sorted ids, the
 * arrays of `RowFiles`, and the same rows as Parquet. To open reads the manifest and one id of 512; what is
 * looked up is read from its place. Several tables, e.g. two versions, may be open at once.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.js'
import { type Id, type IdKind, SortedIds } from './ids.js'
import { asFloats, flags, RowFiles, type VectorName, type VectorType } from './rows.js'

export const manifestFile = 'manifest.json'
const format = 1

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

/** Vectors of some ids. */
export interface Found {
  /** [ids, width]; rows of misses are zero. */
  vectors: Float32Array
  /** 1 where the table has the id, and the vector asked for, else 0. */
  found: Uint8Array
}

export class EmbeddingTable {
  private constructor(
    /** The folder itself, were it given by a link: another table that is published later does not matter. */
    readonly folder: string,
    readonly manifest: Manifest,
    readonly ids: SortedIds,
    readonly rows: RowFiles,
  ) {}

  /** @throws UserError `store-missing` for a folder that is no published table; `store-broken`, `store-format`. */
  static open(path: string): EmbeddingTable {
    const folder = existsSync(path) ? realpathSync(path) : path
    const manifest = readManifest(folder)
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

  /** Vectors of `ids`, in their order. */
  get(ids: readonly Id[], name: VectorName = 'embedding'): Found {
    return this.at(this.ids.find(ids), name)
  }

  /** Vectors at `rows`; −1 counts as a miss. */
  at(rows: Int32Array, name: VectorName = 'embedding'): Found {
    const { type, widths } = this.manifest
    const width = widths[name]
    const vectors = new Float32Array(rows.length * width)
    const found = new Uint8Array(rows.length)
    const bit = { embedding: flags.embedding, image_embedding: flags.image, text_embedding: flags.text }[name]
    for (const { first, places } of runs(rows)) {
      const count = places.length
      const present = this.rows.array('present').read(first, count)
      const numbers = asFloats(this.rows.array(name).read(first, count), type)
      places.forEach((place, k) => {
        if (!(present[k] & bit)) return
        found[place] = 1
        vectors.set(numbers.subarray(k * width, (k + 1) * width), place * width)
      })
    }
    return { vectors, found }
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

/** Neighbouring rows are read together. */
function runs(rows: Int32Array): { first: number; places: number[] }[] {
  const order = Array.from(rows.keys())
    .filter((i) => rows[i] >= 0)
    .sort((a, b) => rows[a] - rows[b])
  const out: { first: number; places: number[] }[] = []
  for (const place of order) {
    const last = out.at(-1)
    if (last && rows[place] === last.first + last.places.length) last.places.push(place)
    else out.push({ first: rows[place], places: [place] })
  }
  return out
}
