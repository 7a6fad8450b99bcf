/** A table as SQL: its columns, and where each row comes from. The one door to DuckDB's columns about files. */
import { UserError } from '../../base/errors.js'
import { DataFacts } from '../facts.js'
import { type Database, identifier, literal } from './duckdb.js'
import { tableFiles } from './files.js'
import { type PartialColumn, partialColumns, warnIdentical } from './parts.js'
import { patternPath } from './quoting.js'

/**
 * SQL names of the columns of `placed`: the file of a row, the row in this file (from 0), and the number of the file in
 * the order of reading. DuckDB's own names are hidden by columns of the table that have them.
 */
export const fileColumn = identifier('mim: file')
export const fileRowColumn = identifier('mim: row of the file')
export const fileNumberColumn = identifier('mim: number of the file')

/** Start of the names that queries give to columns of their own. */
const reserved = /^mim: /i

/** DuckDB types by column. Names are found in any case, as in SQL. */
export class ColumnTypes extends Map<string, string> {
  /** Columns that have the name of another, in any case; which one SQL means is undefined. */
  readonly repeated = new Set<string>()

  override get(name: string): string | undefined {
    return super.get(this.nameOf(name))
  }

  override has(name: string): boolean {
    return super.has(this.nameOf(name))
  }

  override set(name: string, type: string): this {
    return super.set(this.nameOf(name), type)
  }

  override delete(name: string): boolean {
    return super.delete(this.nameOf(name))
  }

  /** The name as the table has it; `name` if it has none. */
  nameOf(name: string): string {
    if (super.has(name)) return name
    const lower = name.toLowerCase()
    for (const known of this.keys()) if (known.toLowerCase() === lower) return known
    return name
  }
}

/** What may follow FROM to read a table. */
export interface TableSource {
  /** The files, as the first argument of DuckDB's functions about Parquet. */
  files: string
  columns: ColumnTypes
  /** Columns that some files lack; their values there are null. */
  partial: readonly PartialColumn[]
  /** The table, with the SQL of `casts` in place of columns. */
  read(casts?: ReadonlyMap<string, string>): string
  /** The same with `fileColumn`, `fileRowColumn` and `fileNumberColumn`. */
  placed(casts?: ReadonlyMap<string, string>): string
}

/**
 * Reads the columns of a table. Files with different columns are matched by name.
 * @param facts gets notes on files that are not read, and a warning of copies
 * @throws UserError `table-missing`, `table-unreadable`, `hive-key`, `column-reserved`
 */
export async function openSource(db: Database, path: string, facts = new DataFacts()): Promise<TableSource> {
  const patterns = await tableFiles(db, path, facts)
  const files = patterns.length === 1 ? literal(patterns[0]) : `[${patterns.map(literal).join(', ')}]`
  const hive = await hivePartitions(db, path, patterns, files)
  const table = `read_parquet(${files}, union_by_name = true${hive.options})`
  const columns = await columnsOf(db, table, files)
  refuseReserved(path, columns)
  if (patterns.length > 1) await warnIdentical(db, path, files, facts)
  return {
    files,
    columns,
    partial: patterns.length > 1 ? await partialColumns(db, files) : [],
    read: (casts = new Map()) => (casts.size === 0 ? table : `(SELECT *${replaced(casts)} FROM ${table})`),
    placed: (casts = new Map()) => `(SELECT *${replaced(casts)} FROM ${placed(table, files, columns, hive.keys)})`,
  }
}

/** @throws UserError `column-reserved` for a column that could stand in for one of our own, even if nobody reads it. */
function refuseReserved(path: string, columns: ColumnTypes): void {
  const name = [...columns.keys()].find((name) => reserved.test(name))
  if (name === undefined) return
  throw new UserError({
    id: 'column-reserved',
    where: path,
    what: `column '${name}' has a name that mim uses itself`,
    expected: "names that do not begin with 'mim: '",
    remedy: 'rename or drop the column',
  })
}

async function columnsOf(db: Database, table: string, files: string): Promise<ColumnTypes> {
  const rows = await db.rows<{ name: string; type: string }>(
    `SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${table})`,
  )
  const columns = new ColumnTypes()
  for (const { name, type } of rows) columns.set(name, type)
  // DuckDB adds _1 to the second of two columns of the same name. The files say whether it is a name of their own.
  const isDoubtful = rows.some(({ name }) => columns.has(/^(.+)_\d+$/.exec(name)?.[1] ?? ''))
  if (isDoubtful) for (const name of await repeatedNames(db, files)) columns.repeated.add(columns.nameOf(name))
  return columns
}

/** Names, in any case, that several columns of one file have. */
async function repeatedNames(db: Database, files: string): Promise<Set<string>> {
  const elements = await db.rows<{ file: string; name: string; children: bigint | null }>(
    `SELECT file_name AS file, name, num_children AS children FROM parquet_schema(${files})`,
  )
  const repeated = new Set<string>()
  let [file, known] = ['', new Set<string>()]
  // Each element is followed by its children; a file begins with the element that has its columns.
  let inside = 0
  for (const { file: of, name, children } of elements) {
    const count = Number(children ?? 0)
    if (of !== file) {
      ;[file, known, inside] = [of, new Set(), 0]
      continue
    }
    if (inside === 0) {
      const lower = name.toLowerCase()
      if (known.has(lower)) repeated.add(name)
      known.add(lower)
    } else inside--
    inside += count
  }
  return repeated
}

const replaced = (casts: ReadonlyMap<string, string>) =>
  casts.size === 0 ? '' : ` REPLACE (${[...casts].map(([name, sql]) => `${sql} AS ${identifier(name)}`).join(', ')})`

/** Names of DuckDB's columns about files. */
const virtual = ['filename', 'file_row_number', 'file_index']

/** The table with the columns about files; `keys`: hive keys that are no columns of the files. */
function placed(table: string, files: string, columns: ColumnTypes, keys: readonly string[]): string {
  const places = `filename AS ${fileColumn}, file_row_number AS ${fileRowColumn}, file_index AS ${fileNumberColumn}`
  const hiding = virtual.filter((name) => columns.has(name)).map((name) => columns.nameOf(name))
  if (hiding.length === 0) return `(SELECT *, ${places} FROM ${table})`
  // A schema gives such columns other names, so that DuckDB's own appear. It excludes hive partitions.
  const renamed = (name: string) => (hiding.includes(name) ? `mim: column ${name}` : name)
  const ofFolders = new Set(keys.map((key) => columns.nameOf(key)))
  const schema = [...columns].flatMap(([name, type]) => {
    const column = `${literal(name)}: {name: ${literal(renamed(name))}, type: ${literal(type)}, default_value: NULL}`
    return ofFolders.has(name) ? [] : [column]
  })
  const list = [...columns].map(([name, type]) =>
    ofFolders.has(name)
      ? `CAST(${keyOf('filename', name)} AS ${type}) AS ${identifier(name)}`
      : `${identifier(renamed(name))} AS ${identifier(name)}`,
  )
  return `(SELECT ${list.join(', ')}, ${places} FROM read_parquet(${files}, schema = MAP {${schema.join(', ')}}))`
}

/**
 * Hive partitions have keys in the names of folders, such as `day=2024-01-01`. DuckDB reads a key even if the files have
 * a column of this name. Below the folder of the table both must be equal; further up a name such as `version=2` has
 * nothing to do with the table, and the column of the files counts.
 * @returns options for DuckDB, and the keys that are no columns of the files
 * @throws UserError `hive-key` for a row that differs from its folder, or for files with different keys
 */
async function hivePartitions(
  db: Database,
  path: string,
  patterns: readonly string[],
  files: string,
): Promise<{ options: string; keys: string[] }> {
  const keys = sameKeys(patterns.map(patternPath))
  if (keys.length === 0) return { options: '', keys }
  const folders = foldersOf(patternPath(patterns[0]))
  const plain = `read_parquet(${files}, union_by_name = true, hive_partitioning = false`
  const stored = await columnsOf(db, `${plain})`, files)
  const both = keys.filter((key) => stored.has(key))
  // Without the option DuckDB reads no keys if files lie at different depths.
  if (both.length === 0) return { options: ', hive_partitioning = true', keys }
  const above = /[*?[]/.test(path) ? 0 : path.split('/').length
  for (const key of both) {
    if (folders.findLastIndex((name) => name.startsWith(`${key}=`)) >= above) await checkKey(db, plain, key, stored)
  }
  const others = keys.filter((key) => !stored.has(key))
  if (others.length === 0) return { options: ', hive_partitioning = false', keys: [] }
  const types = both.map((key) => `${literal(key)}: ${literal(stored.get(key)!)}`)
  return { options: `, hive_partitioning = true, hive_types = {${types.join(', ')}}`, keys: others }
}

const foldersOf = (file: string) => file.split('/').slice(0, -1)

const keysOf = (file: string) => foldersOf(file).flatMap((name) => /^([^=]+)=/.exec(name)?.[1] ?? [])

/** The hive keys of files. @throws UserError `hive-key` if one has other keys than the first. */
function sameKeys(files: readonly string[]): string[] {
  const [first] = files
  const keys = keysOf(first)
  const known = keys.toSorted().join('/')
  const odd = files.find((file) => keysOf(file).toSorted().join('/') !== known)
  if (odd === undefined) return keys
  const list = (file: string) => keysOf(file).join(', ') || 'none'
  throw new UserError({
    id: 'hive-key',
    where: odd,
    what: `the keys in the names of its folders are not those of other files: ${list(odd)} here, ${list(first)} in ${first}`,
    expected: 'folders key=value with the same keys for all files of a table',
    remedy: 'move the files into folders of the same keys, or write the keys as columns',
  })
}

/** SQL of the value of a hive key in the path `file`, as text. */
const keyOf = (file: string, key: string) =>
  `nullif(url_decode(regexp_extract(${file}, ${literal(`/${escaped(key)}=([^/]*)/`)}, 1)), '__HIVE_DEFAULT_PARTITION__')`

/** A text as part of a regular expression. */
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

async function checkKey(db: Database, plain: string, key: string, stored: ColumnTypes): Promise<void> {
  const column = identifier(key)
  const ofFolder = keyOf(fileColumn, key)
  const [row] = await db.rows<{ file: string; value: string | null; key: string }>(
    `SELECT ${fileColumn} AS file, CAST(${column} AS VARCHAR) AS value, ${ofFolder} AS key
     FROM ${plain}, filename = ${literal('mim: file')})
     WHERE ${column} IS DISTINCT FROM TRY_CAST(${ofFolder} AS ${stored.get(key)}) LIMIT 1`,
  )
  if (!row) return
  throw new UserError({
    id: 'hive-key',
    where: row.file,
    what: `column '${key}' is ${row.value ?? 'null'} in a folder named ${key}=${row.key}`,
    expected: 'the value of the folder, or no such column in the files',
    remedy: 'write the partition again, or rename the folders',
  })
}
