/** Fingerprint of a Parquet table: of each file and of each column. */
import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import { DataFacts } from '../facts.js'
import { type Database, literal } from '../tables/duckdb.js'
import { tableFiles } from '../tables/files.js'
import { patternPath } from '../tables/quoting.js'
import { type NamedFile, printOfFiles, stampOf } from './files.js'
import { type FilesPrint, hashDigits } from './print.js'
import type { Chunk } from './regions.js'

/**
 * Fingerprint of the table at `path`, as `tableFiles` finds it. `earlier` is returned again if its stamp says that no
 * file was written since. Of remote files only the footers are read.
 * @throws UserError those of `tableFiles`, and of a table that cannot be read.
 */
export async function printOfTable(db: Database, path: string, earlier?: FilesPrint): Promise<FilesPrint> {
  const patterns = await tableFiles(db, path, new DataFacts())
  const files = patterns.map(patternPath).map((file) => ({ name: nameIn(path, file), path: file }))
  const list = `[${patterns.map(literal).join(', ')}]`
  if (!files.every(({ path }) => existsSync(path))) return printOfFooters(db, files, list)
  const stamp = stampOf(files)
  if (stamp !== undefined && earlier?.stamp === stamp) return earlier
  const print = printOfFiles(files, { chunks: await chunksOf(db, list) })
  const { rows } = await db.row<{ rows: bigint }>(
    `SELECT sum(num_rows)::BIGINT AS rows FROM parquet_file_metadata(${list})`,
  )
  return { ...print, rows: Number(rows), ...(stamp === undefined ? {} : { stamp }) }
}

/** The name of a file below the folder that a path or pattern starts from. */
function nameIn(path: string, file: string): string {
  if (path === file) return ''
  const wildcard = path.search(/[*?[]/)
  const folder = wildcard < 0 || existsSync(path) ? path : path.slice(0, path.slice(0, wildcard).lastIndexOf('/') + 1)
  return file.startsWith(folder) ? file.slice(folder.length).replace(/^\//, '') : relative(folder, file)
}

/** Places of the columns, by the path of the file. */
async function chunksOf(db: Database, list: string): Promise<Map<string, Chunk[]>> {
  const found = await db.columns(
    `SELECT file_name AS file, split_part(path_in_schema, ', ', 1) AS "column", total_compressed_size AS length,
       coalesce(nullif(least(dictionary_page_offset, data_page_offset), 0), data_page_offset) AS start
     FROM parquet_metadata(${list}) ORDER BY ALL`,
    { file: 'string', column: 'string', start: 'float64', length: 'float64' },
  )
  const chunks = new Map<string, Chunk[]>()
  for (let i = 0; i < found.rows; i++) {
    const file = found.file[i]!
    if (!chunks.has(file)) chunks.set(file, [])
    chunks.get(file)!.push({ column: found.column[i]!, start: found.start[i], length: found.length[i] })
  }
  return chunks
}

/** Fingerprint of files that are elsewhere: sizes, and places and statistics of columns, as their footers say. */
async function printOfFooters(db: Database, files: readonly NamedFile[], list: string): Promise<FilesPrint> {
  const hashOf = (part: string) =>
    `left(md5(string_agg(${part}::VARCHAR, ',' ORDER BY file_name, row_group_id, column_id)), ${hashDigits})`
  const metadata = `parquet_metadata(${list}) m`
  const ofFiles = await db.rows<{ path: string; size: bigint; rows: bigint; hash: string | null }>(
    `SELECT file_name AS path, file_size_bytes AS size, num_rows AS rows, hash FROM parquet_file_metadata(${list})
     LEFT JOIN (SELECT file_name, ${hashOf('m')} AS hash FROM ${metadata} GROUP BY file_name) USING (file_name)`,
  )
  const columns = await db.rows<{ name: string; hash: string }>(
    `SELECT split_part(path_in_schema, ', ', 1) AS name, ${hashOf('(m.* EXCLUDE (file_name))')} AS hash
     FROM ${metadata} GROUP BY name ORDER BY min(column_id)`,
  )
  const of = new Map(ofFiles.map((file) => [file.path, file]))
  return {
    kind: 'files',
    rows: ofFiles.reduce((sum, { rows }) => sum + Number(rows), 0),
    files: files.map(({ name, path }) => {
      const { size = 0, hash = '' } = of.get(path) ?? {}
      return { name, size: Number(size), hash: hash ?? '' }
    }),
    columns,
  }
}
