/** What is odd about the files of a table taken together. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { UserError } from '../../base/errors.js'
import type { DataFacts } from '../facts.js'
import { type Database, fileLiteral } from './duckdb.js'

/**
 * Leaves out paths that lead to a file that another path leads to already; a link gives way to its target.
 * @param paths sorted; paths of remote files and broken links are kept
 * @throws UserError `table-unreadable` for what is no regular file: to read a pipe could wait forever
 */
export function distinctFiles(where: string, paths: readonly string[], facts: DataFacts): string[] {
  const kept = new Map<string, string>()
  const links: { path: string; other: string }[] = []
  for (const path of paths) {
    const real = realFile(path)
    const other = kept.get(real)
    if (other === undefined) kept.set(real, path)
    else if (isPlain(path, where) && !isPlain(other, where)) {
      kept.set(real, path)
      links.push({ path: other, other: path })
    } else links.push({ path, other })
  }
  if (links.length === 0) return [...paths]
  const [{ path, other }] = links
  const more = links.length > 1 ? `, and ${links.length - 1} more links` : ''
  facts.notes.push(`${path}${more}: not read again, as it leads to ${other}`)
  return [...kept.values()].sort()
}

/** The file that a path leads to. @throws UserError `table-unreadable` for what is no regular file */
export function realFile(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return path
  if (found.isFile()) return realpathSync(path)
  const what = found.isFIFO() ? 'this is a pipe' : found.isDirectory() ? 'this is a folder' : 'this is no regular file'
  const remedy = 'write its data to a file, or move it elsewhere'
  throw new UserError({ id: 'table-unreadable', where: path, what, expected: 'a Parquet file', remedy })
}

/** Whether there is no link in the part of `path` below the folder of the table. */
function isPlain(path: string, table: string): boolean {
  const folder = /[*?[]/.test(table) ? dirname(`${table.slice(0, table.search(/[*?[]/))}x`) : table
  return relative(folder, path) === relative(realpathSync(folder), realpathSync(path))
}

/** A column that some files of a table lack. */
export interface PartialColumn {
  /** In lower case. */
  name: string
  /** Number of files with rows that lack it, and the first of them. */
  lacking: number
  file: string
}

/** The columns that some files lack, as their footers say; files without rows do not count. */
export async function partialColumns(db: Database, files: string): Promise<PartialColumn[]> {
  const found = await db.rows<{ name: string; lacking: bigint; file: string }>(
    `WITH files AS (SELECT file_name AS file FROM parquet_file_metadata(${files}) WHERE num_rows > 0),
       names AS (SELECT DISTINCT file_name AS file, lower(name) AS name FROM parquet_schema(${files})
         SEMI JOIN files ON file_name = file),
       partial AS (SELECT name FROM names GROUP BY name HAVING count(*) < (SELECT count(*) FROM files))
     SELECT name, count(*) AS lacking, min(file) AS file
     FROM (SELECT name, file FROM partial CROSS JOIN files EXCEPT FROM (SELECT name, file FROM names))
     GROUP BY name ORDER BY name`,
  )
  return found.map(({ name, lacking, file }) => ({ name, lacking: Number(lacking), file }))
}

/** Warns of columns in use that some files of a table lack. */
export function warnPartial(
  { path, partial }: { path: string; partial: readonly PartialColumn[] },
  used: readonly string[],
  facts: DataFacts,
): void {
  const read = new Map(used.map((name) => [name.toLowerCase(), name]))
  for (const { name, lacking, file } of partial) {
    const column = read.get(name)
    if (column === undefined) continue
    const more = lacking > 1 ? ` and ${lacking - 1} other file${lacking > 2 ? 's' : ''}` : ''
    facts.warn({
      id: 'column-parts',
      where: `${path}: column '${column}'`,
      what: `${file}${more} lack${lacking > 1 ? '' : 's'} it: rows there are null`,
      remedy: 'write these files again, or leave the column out',
    })
  }
}

/** Files of a table with the same columns. */
export interface PartSchema {
  files: string[]
  /** DuckDB type of a column of any case; undefined if the files lack it or have nothing but nulls in it. */
  typeOf(name: string): string | undefined
}

/** The columns of files that differ in them, as their footers say, in the order of the files; none if all are alike. */
export async function partSchemas(db: Database, files: string): Promise<PartSchema[]> {
  const schemas = await db.rows<{ alike: string[] }>(
    `SELECT list(file_name ORDER BY file_name) AS alike FROM (
       SELECT file_name, list(concat(name, ' ', duckdb_type) ORDER BY column_id) AS columns
       FROM parquet_schema(${files}) GROUP BY file_name)
     GROUP BY columns ORDER BY min(file_name)`,
  )
  if (schemas.length < 2) return []
  return Promise.all(
    schemas.map(async ({ alike }) => {
      // A field of a struct may have the name of a column too: DuckDB knows which are columns.
      const table = `read_parquet(${fileLiteral(alike[0])}, hive_partitioning = false)`
      const columns = await db.rows<{ name: string; type: string }>(
        `SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${table})`,
      )
      const types = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]))
      return {
        files: alike,
        typeOf: (name: string) => {
          const type = types.get(name.toLowerCase())
          return type?.startsWith('"NULL"') ? undefined : type
        },
      }
    }),
  )
}

/** Bytes that are compared at the start of files of the same footer. */
const compared = 1 << 16

/**
 * Warns of files with the same rows: of the same size and footer, which has the statistics and the places of all
 * columns, and with the same first bytes.
 * @param files the files, as the first argument of DuckDB's functions about Parquet
 */
export async function warnIdentical(db: Database, path: string, files: string, facts: DataFacts): Promise<void> {
  const alike = await db.rows<{ footer: bigint; paths: string[] }>(
    `SELECT footer_size AS footer, to_json(list(file_name ORDER BY file_name)) AS paths
     FROM parquet_file_metadata(${files}) WHERE num_rows > 0
     GROUP BY file_size_bytes, footer_size, num_rows HAVING count(*) > 1 ORDER BY min(file_name)`,
  )
  const pairs: [string, string][] = []
  for (const { footer, paths } of alike) {
    const first = new Map<string, string>()
    for (const file of JSON.parse(String(paths)) as string[]) {
      if (!statSync(file, { throwIfNoEntry: false })) continue
      const print = fingerprint(file, Number(footer))
      const other = first.get(print)
      if (other === undefined) first.set(print, file)
      else pairs.push([other, file])
    }
  }
  if (pairs.length === 0) return
  const [[a, b]] = pairs
  const more = pairs.length > 1 ? `, and ${pairs.length - 1} more copies` : ''
  facts.warn({
    id: 'files-identical',
    where: path,
    what: `${b} is a copy of ${a}${more}: its rows count twice`,
    remedy: 'delete the copy',
  })
}

/** Hash of the footer and of the start of a file. */
function fingerprint(file: string, footer: number): string {
  const { size } = statSync(file)
  const at = openSync(file, 'r')
  try {
    const [start, end] = [Buffer.alloc(Math.min(compared, size)), Buffer.alloc(Math.min(footer + 8, size))]
    readSync(at, start, 0, start.length, 0)
    readSync(at, end, 0, end.length, size - end.length)
    return createHash('sha256').update(start).update(end).digest('hex')
  } finally {
    closeSync(at)
  }
}
