/** Writes rows that are sorted by id as a table: arrays, Parquet and a manifest. */
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { replaceFolder, writeJson } from '../../base/files.js'
import { type TensorSource, writeSafetensors } from '../../formats/safetensors.js'
import {
  arrayFile,
  arrayNames,
  type Chunk,
  flags,
  type Id,
  IdWriter,
  idFile,
  manifestFile,
  oddVector,
  publishTable,
  RowFiles,
  Summing,
  vectorNames,
} from '../../store/index.js'
import type { Run } from '../../train/run.js'
import type { Description } from './describe.js'
import { ParquetParts } from './parquet.js'

/** Folder of the rows of a shard within its run folder. */
export const partFolder = 'part'

export interface TableCounts {
  rows: number
  /** Items by the modalities of their vectors. */
  both: number
  picture_only: number
  title_only: number
}

/** The error for a vector that must not be published; the table published before stays. */
export function unusableVector(id: Id, what: string, model: string): UserError {
  return new UserError({
    id: 'vector-not-usable',
    what: `item ${id}: ${what}; it is of the model ${model}`,
    expected: 'finite vectors with a direction',
    remedy: 'check the weights of the model, and title and picture of the item; the published table is unchanged',
  })
}

/** @throws UserError `vector-not-usable`: of the encoder, of an older table, or of a part. */
function requireUsable({ ids, rows }: Chunk, description: Description): void {
  for (const [row, id] of ids.entries()) {
    const problem = oddVector(rows, row, description)
    if (problem !== undefined) throw unusableVector(id, problem, description.model_version)
  }
}

/**
 * Writes a table into an empty folder, the manifest last; `asParquet`: with the formats for other readers, too.
 * @throws UserError `vector-not-usable`
 */
export async function writeTable(
  folder: string,
  chunks: Iterable<Chunk>,
  description: Description,
  asParquet: boolean,
  progress: (rows: number) => void,
): Promise<TableCounts> {
  const sums = new Summing(folder)
  using ids = new IdWriter(folder, description.ids, sums)
  using rows = RowFiles.create(folder, description, 0)
  await using parquet = asParquet ? await ParquetParts.open(folder, description, sums) : undefined
  const counts: TableCounts = { rows: 0, both: 0, picture_only: 0, title_only: 0 }
  // An empty table has these files, too.
  for (const name of arrayNames) sums.add(arrayFile(name), new Uint8Array(0))
  for (const chunk of chunks) {
    requireUsable(chunk, description)
    ids.add(chunk.ids)
    rows.write(counts.rows, chunk.rows)
    for (const name of arrayNames) sums.add(arrayFile(name), chunk.rows[name])
    await parquet?.add(chunk)
    counts.rows += chunk.ids.length
    for (const present of chunk.rows.present) {
      const [image, text] = [present & flags.image, present & flags.text]
      if (image && text) counts.both++
      else if (image) counts.picture_only++
      else if (text) counts.title_only++
    }
    progress(counts.rows)
  }
  await parquet?.finish()
  ids.finish()
  rows.finish()
  if (asParquet && description.safetensors) writeTensors(folder, rows, description, sums)
  await writeJson(join(folder, manifestFile), { ...description, rows: counts.rows, files: sums.finish() })
  return counts
}

/** Writes the arrays again as embeddings.safetensors. */
function writeTensors(
  folder: string,
  rows: RowFiles,
  { type, scale, ids, model_version }: Description,
  sums: Summing,
): void {
  const tensors = [...vectorNames, 'present' as const].map((name): TensorSource => {
    const array = rows.array(name)
    const dtype = name === 'present' ? 'U8' : type === 'int8' ? 'I8' : 'F32'
    const shape = array.width === undefined ? [array.rows] : [array.rows, array.width]
    return { name, dtype, shape, data: () => array.pieces() }
  })
  const metadata = { model_version, scale: String(scale), ids: idFile(ids) }
  const name = 'embeddings.safetensors'
  writeSafetensors(join(folder, name), tensors, metadata, (bytes) => sums.add(name, bytes))
}

/** Writes a table of about `expected` rows and points `link` to it; keeps the newest `keep` tables. */
export async function publish(
  run: Run,
  link: string,
  chunks: Iterable<Chunk>,
  { description, expected, keep }: { description: Description; expected: number; keep: number },
): Promise<TableCounts & { table: string }> {
  const bar = run.terminal.bar('rows written', expected)
  let counts: TableCounts | undefined
  await publishTable(link, keep, async (folder) => {
    counts = await writeTable(folder, chunks, description, true, (done) => bar.update(done))
  })
  bar.stop()
  return { ...counts!, table: link }
}

/** Writes the rows of a shard, which `mim embed merge` publishes together with all other shards. */
export async function writePart(
  run: Run,
  chunks: Iterable<Chunk>,
  description: Description,
): Promise<TableCounts & { part: string }> {
  const part = run.path(partFolder)
  let counts: TableCounts | undefined
  await replaceFolder(part, async (folder) => {
    counts = await writeTable(folder, chunks, description, false, () => {})
  })
  return { ...counts!, part }
}
