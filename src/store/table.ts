/**
 * A published embedding table, opened to look up vectors by id. The folder contains `manifest.json`, the sorted ids,
 * the arrays of `RowFiles`, and in a folder of their own the same rows as Parquet. Opening reads the manifest and one of every 512 ids; look-ups
 * read from disk. Several tables, e.g. two versions, may be open at once.
 */
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../base/errors.js'
import { matching, readJson } from '../base/ownFile.js'
import { Resources } from '../base/resources.js'
import { recoverRunOf, requireStage } from '../base/runStage.js'
import { type Id, type IdKind, idKind, SortedIds } from './ids.js'
import { asFloats, flags, int8Scale, RowFiles, type VectorName, type VectorType, vectorTypes } from './rows.js'
import { checkSizes, type FileSums, fileSums } from './sums.js'

/** Folder of the published Parquet files within the run folder: a link into the table. */
export const tableFolder = 'embeddings'
/** Link to the published table within the run folder. */
export const currentTable = 'table'
/** Folder of the Parquet files within the table, with no other files: pandas and Polars refuse these. */
export const parquetFolder = 'parquet'
export const manifestFile = 'manifest.json'
export const currentFormat = 1

/** Type of the vectors in Parquet: lists of any length, or of a fixed length. */
export const listKinds = ['variable', 'fixed'] as const
export type ListKind = (typeof listKinds)[number]

export interface Manifest {
  format: number
  rows: number
  ids: IdKind
  /** DuckDB type of the ids, for Parquet. */
  id_type: string
  type: VectorType
  /** Stored numbers times `scale` are the vectors. */
  scale: number
  widths: Record<VectorName, number>
  /** Identifies the weights and all settings that influence the vectors. */
  model_version: string
  /** Weight of the words of titles in cosines; absent: 0. */
  words?: number
  lists: ListKind
  /** Whether the folder also has the arrays as safetensors. */
  safetensors: boolean
  /** For the part of a shard only: its index and number, and the fingerprint of the catalogue. */
  shard?: { index: number; count: number; catalogue: string }
  /** Sizes and checksums of all files; tables of earlier versions have none. */
  files?: FileSums
}

const width = z.int().positive()
/** DuckDB types of ids. */
const idTypes = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|VARCHAR)$/

const manifestRule: z.ZodType<Manifest> = z
  .looseObject({
    format: z.literal(currentFormat),
    rows: z.int().nonnegative(),
    ids: z.enum(['integer', 'unsigned', 'string']),
    id_type: z.string().regex(idTypes),
    type: z.enum(vectorTypes),
    scale: z.number(),
    widths: z.looseObject({ embedding: width, image_embedding: width, text_embedding: width }),
    model_version: z.string(),
    words: z.number().nonnegative().optional(),
    lists: z.enum(listKinds).default('variable'),
    safetensors: z.boolean().default(false),
    shard: z.looseObject({ index: z.int().nonnegative(), count: z.int().positive(), catalogue: z.string() }).optional(),
    files: fileSums.optional(),
  })
  .refine(({ ids, id_type }) => ids === idKind(id_type), { path: ['ids'], error: 'not the kind of id_type' })
  .refine(({ type, scale }) => Math.abs(scale - (type === 'int8' ? int8Scale : 1)) < 1e-9, {
    path: ['scale'],
    error: 'not the scale of this type: 1 for float32, 1/127 for int8',
  })

const recovery = { id: 'store-broken', remedy: 'copy the table again, or remove it and run mim embed again' }

/**
 * The manifest in a table's folder; undefined where there is none.
 * @throws UserError `store-format` for a table of another version of mim, `store-broken` for a spoilt manifest.
 */
export function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, manifestFile)
  if (!existsSync(path)) return undefined
  const manifest = readJson(path, z.looseObject({ format: z.number() }), recovery)
  if (manifest.format === currentFormat) return matching(path, manifest, manifestRule, recovery)
  throw new UserError({
    id: 'store-format',
    where: path,
    what: `format ${manifest.format}`,
    expected: `format ${currentFormat}`,
    remedy: 'run mim embed again',
  })
}

/**
 * Resolves `path` to a table folder: `path` is one, its folder of Parquet files, or a run folder; undefined for others.
 * Tables of older versions of mim have the Parquet files with the others.
 */
export function publishedFolder(path: string): string | undefined {
  recoverRunOf(path)
  if (!existsSync(path)) return undefined
  // Links are resolved: another table may be published while this one is read.
  const real = realpathSync(path)
  const candidates = [real, join(real, currentTable), join(real, tableFolder)]
  if (basename(real) === parquetFolder) candidates.push(dirname(real))
  // A copy of a run folder may have folders in place of links.
  if (basename(real) === tableFolder) candidates.push(join(dirname(real), currentTable))
  const found = candidates.find((folder) => existsSync(join(folder, manifestFile)))
  return found && realpathSync(found)
}

/** Those of files that look-ups read: the others are for other readers, and may be many. */
const ofArrays = (files: FileSums) =>
  Object.fromEntries(Object.entries(files).filter(([name]) => /^[^/]+\.(npy|utf8|firsts)$/.test(name)))

/** Vectors of some ids. */
export interface Found {
  /** [ids, width]; zeros for ids without a vector. */
  vectors: Float32Array
  /** [ids]; 1 where the table has the id and the requested vector, else 0. */
  found: Uint8Array
}

/** Close it when done. */
export class EmbeddingTable implements Disposable {
  private constructor(
    /** The table folder, links resolved. */
    readonly folder: string,
    readonly manifest: Manifest,
    readonly ids: SortedIds,
    readonly rows: RowFiles,
  ) {}

  /** @throws UserError `store-missing` where `path` is no published table; `run-stage`, `store-broken`, `store-format`. */
  static open(path: string): EmbeddingTable {
    const folder = publishedFolder(path)
    const manifest = folder && readManifest(folder)
    if (!manifest) {
      requireStage(path, ['embed'])
      const remedy = 'give the embeddings folder of a run of mim embed'
      throw new UserError({ id: 'store-missing', where: path, what: 'no embedding table here', remedy })
    }
    if (manifest.files) checkSizes(folder, ofArrays(manifest.files))
    using opened = new Resources()
    const ids = opened.use(new SortedIds(folder, manifest.ids, manifest.rows))
    const rows = opened.use(RowFiles.open(folder, manifest))
    opened.release()
    return new EmbeddingTable(folder, manifest, ids, rows)
  }

  get width(): number {
    return this.manifest.widths.embedding
  }

  /** Row of each id; −1 where the table lacks the id, or the id this vector. */
  find(ids: readonly Id[], name: VectorName = 'embedding'): Int32Array {
    const rows = this.ids.find(ids)
    const present = this.rows.array('present')
    const bit = { embedding: flags.embedding, image_embedding: flags.image, text_embedding: flags.text }[name]
    for (const { first, count, positions } of readsOf(rows, present.rowBytes)) {
      const bits = present.read(first, count)
      for (const position of positions) if (!(bits[rows[position] - first] & bit)) rows[position] = -1
    }
    return rows
  }

  /** Vectors of `ids`, in their order. */
  get(ids: readonly Id[], name: VectorName = 'embedding'): Found {
    const rows = this.find(ids, name)
    return { vectors: this.vectorsAt(rows, name), found: Uint8Array.from(rows, (row) => (row < 0 ? 0 : 1)) }
  }

  /** Vectors of `rows`, [rows, width]; zeros for −1. */
  vectorsAt(rows: Int32Array, name: VectorName = 'embedding'): Float32Array {
    return asFloats(this.stored(rows, name), this.manifest.type)
  }

  /** The stored bytes of the vectors of `rows`; zeros for −1. */
  stored(rows: Int32Array, name: VectorName): Uint8Array {
    const array = this.rows.array(name)
    const size = array.rowBytes
    const out = new Uint8Array(rows.length * size)
    for (const { first, count, positions } of readsOf(rows, size)) {
      const bytes = array.read(first, count)
      for (const position of positions) {
        const from = (rows[position] - first) * size
        bytes.copy(out, position * size, from, from + size)
      }
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

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Rows that are at most so many bytes apart are read together: the smallest read of most disks. */
const gapBytes = 4096

interface Read {
  first: number
  count: number
  /** Positions in `rows` of the rows that it covers. */
  positions: number[]
}

/** Reads that cover `rows`, in any order; −1 is left out. */
function readsOf(rows: Int32Array, rowBytes: number): Read[] {
  const order = Array.from(rows.keys())
    .filter((i) => rows[i] >= 0)
    .sort((a, b) => rows[a] - rows[b])
  const reads: Read[] = []
  for (const position of order) {
    const row = rows[position]
    const last = reads.at(-1)
    if (last && (row - last.first - last.count) * rowBytes <= gapBytes) {
      last.count = row - last.first + 1
      last.positions.push(position)
    } else reads.push({ first: row, count: 1, positions: [position] })
  }
  return reads
}
