/** Writes rows that are sorted by id as a table: arrays, Parquet and a manifest. */
import { join } from 'node:path'
import { replaceFolder, writeJson } from '../../base/files.js'
import { type TensorSource, writeSafetensors } from '../../formats/safetensors.js'
import {
  type Chunk,
  flags,
  IdWriter,
  idFile,
  manifestFile,
  parquetFolder,
  publishTable,
  RowFiles,
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

/** Writes a table into an empty folder, the manifest last; `asParquet`: with the formats for other readers, too. */
export async function writeTable(
  folder: string,
  chunks: Iterable<Chunk>,
  description: Description,
  asParquet: boolean,
  progress: (rows: number) => void,
): Promise<TableCounts> {
  using ids = new IdWriter(folder, description.ids)
  using rows = RowFiles.create(folder, description, 0)
  await using parquet = asParquet ? await ParquetParts.open(join(folder, parquetFolder), description) : undefined
  const counts: TableCounts = { rows: 0, both: 0, picture_only: 0, title_only: 0 }
  for (const chunk of chunks) {
    ids.add(chunk.ids)
    rows.write(counts.rows, chunk.rows)
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
  if (asParquet && description.safetensors) writeTensors(folder, rows, description)
  await writeJson(join(folder, manifestFile), { ...description, rows: counts.rows })
  return counts
}

/** Writes the arrays again as embeddings.safetensors. */
function writeTensors(folder: string, rows: RowFiles, { type, scale, ids, model_version }: Description): void {
  const tensors = [...vectorNames, 'present' as const].map((name): TensorSource => {
    const array = rows.array(name)
    const dtype = name === 'present' ? 'U8' : type === 'int8' ? 'I8' : 'F32'
    const shape = array.width === undefined ? [array.rows] : [array.rows, array.width]
    return { name, dtype, shape, data: () => array.pieces() }
  })
  const metadata = { model_version, scale: String(scale), ids: idFile(ids) }
  writeSafetensors(join(folder, 'embeddings.safetensors'), tensors, metadata)
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
