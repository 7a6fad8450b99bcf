/** Checks Parquet inputs against their contract before anything is computed from them. */
import { existsSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { pictureTypes } from '../pictures/column.js'
import { type Database, identifier, literal } from './duckdb.js'

/** Type of a column; see the data contract in the README. */
export type ColumnType = 'any' | 'id' | 'text' | 'image' | 'label' | 'weight' | 'time' | 'number' | 'vector' | 'ids'

export interface ColumnRule {
  type: ColumnType
  /** Whether the column may be missing, or all null, which counts as missing; default: no. */
  optional?: boolean
  /** Whether an id may be null; default: no. */
  nullable?: boolean
  /** Whether values must be unique; default: no. */
  unique?: boolean
}

export interface Table {
  /** The path as the user gave it. */
  path: string
  /** For a FROM clause: all columns of the file. */
  source: string
  /** DuckDB types of the columns; without optional columns that are all null and have another type. */
  columns: ReadonlyMap<string, string>
  rows: number
}

const number = /^((TINY|SMALL|BIG|UTINY|USMALL|U|UBIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)$/

interface TypeRule {
  /** DuckDB types that are accepted, and their name in errors. */
  fits: RegExp
  expected: string
  /** SQL condition of a bad value, SQL of what an error shows of it, and the rule in words. */
  bad?: (column: string, type: string) => string
  show?: (column: string) => string
  rule?: string
  /** How to get rid of a type that is not accepted. */
  remedy?: (type: string) => string | undefined
}

const types: Record<ColumnType, TypeRule> = {
  any: { fits: /./, expected: 'any type' },
  id: {
    fits: /^(\w*INT(EGER)?|VARCHAR)$/,
    expected: 'int64 or string',
    bad: (c) => `${c} IS NULL`,
    rule: 'an id in every row',
  },
  text: { fits: /^VARCHAR$/, expected: 'string' },
  image: {
    fits: pictureTypes,
    expected: 'one picture: binary (encoded), string (its path or a data: URI) or struct<bytes, path>',
    remedy: (type) => (type.endsWith(']') ? 'mim takes one picture per item: write the first of each list' : undefined),
  },
  label: {
    fits: new RegExp(`${number.source.slice(0, -1)}(\\[\\d*\\])?$`),
    expected: '0 or 1',
    bad: (c, type) => `${labelOf(c, type)} IS NULL OR ${labelOf(c, type)} NOT IN (0, 1)`,
    rule: '0 or 1',
  },
  time: {
    // Values are checked by `openTime`.
    fits: /^(TIMESTAMP.*|DATE|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|DECIMAL.*|VARCHAR)$/,
    expected: 'timestamp, date, integer or float64 since 1970, or ISO 8601 text',
  },
  weight: {
    fits: number,
    expected: 'a number',
    bad: (c) => `${c} IS NULL OR NOT isfinite(CAST(${c} AS DOUBLE)) OR ${c} < 0`,
    rule: 'a number from 0 on',
  },
  number: { fits: number, expected: 'a number' },
  vector: {
    fits: /^(FLOAT|DOUBLE|TINYINT)\[\d*\]$/,
    expected: 'a list of float32 or int8',
    bad: (c) => `len(${nonFinite(c)}) > 0`,
    show: (c) => `${nonFinite(c)}[1]`,
    rule: 'finite numbers',
  },
  ids: { fits: /^(\w*INT(EGER)?|VARCHAR)\[\d*\]$/, expected: 'a list of int64 or of strings' },
}

/** SQL of a label, which some tables store as the only element of a list. */
export const labelOf = (column: string, type: string) => (type.endsWith(']') ? `${column}[1]` : column)

const nonFinite = (column: string) => `list_filter(${column}, lambda x: x IS NULL OR NOT isfinite(CAST(x AS DOUBLE)))`

/** `path` for DuckDB: a folder means all Parquet files below it, hive partitions included. */
export function parquetSource(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path
  // Glob characters in the name of an existing folder are literal.
  return join(path.replace(/[*?[]/g, '[$&]'), '**', '*.parquet')
}

/** A path from a configuration: relative ones start from `root`. */
function resolvePath(root: string, path: string): string {
  return isAbsolute(path) || /^\w+:\/\//.test(path) ? path : join(root, path)
}

/** Path of a table given as `x.parquet`: this file or, if there is none, the folder of parts `x`. */
export function findTable(root: string, path: string): string {
  const full = resolvePath(root, path)
  const folder = full.replace(/\.parquet$/, '')
  return !existsSync(full) && existsSync(folder) ? folder : full
}

/**
 * Opens a Parquet table and checks it.
 * @throws UserError `table-missing`, `table-unreadable`, `column-missing`, `column-type`; `<type>-value` or
 * `duplicate-id` for a value that breaks its rule, with file, column and row (from 1).
 */
export async function openTable(db: Database, path: string, rules: Record<string, ColumnRule>): Promise<Table> {
  const read = `read_parquet(${literal(parquetSource(path))}, union_by_name = true`
  const described = `SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${read}))`
  const columnTypes = await db.rows<{ name: string; type: string }>(described)
  const columns = new Map(columnTypes.map(({ name, type }) => [name, type]))
  for (const [name, { type, optional }] of Object.entries(rules)) {
    const found = columns.get(name)
    if (!found && !optional) {
      const remedy = `add it, or name the right one in the configuration; the table has ${[...columns.keys()].join(', ')}`
      throw new UserError({ id: 'column-missing', where: path, what: `column '${name}' is missing`, remedy })
    }
    const { fits, expected, remedy: remedyOf } = types[type]
    if (found && !fits.test(found)) {
      // A column of nulls may have any type, depending on the writer.
      if (optional && (await db.count(`${read}) WHERE ${identifier(name)} IS NOT NULL`)) === 0) {
        columns.delete(name)
        continue
      }
      const remedy = remedyOf?.(found) ?? 'cast the column when writing the file'
      throw new UserError({ id: 'column-type', where: path, what: `column '${name}' is ${found}`, expected, remedy })
    }
  }
  for (const [name, rule] of Object.entries(rules)) {
    if (!columns.has(name)) continue
    await checkValues(db, `${read}, filename = ${literal(fileColumn)})`, name, columns.get(name)!, rule)
  }
  return { path, source: `${read})`, columns, rows: await db.count(`${read})`) }
}

/** Column with the file of a row; no table has a column of this name. */
const fileColumn = 'mim: file of the row'
const placeOf = `${identifier(fileColumn)} AS file, file_row_number + 1 AS row`

/** The place of the first row that meets an SQL condition, for errors, and the value of a column there. */
export async function locate(
  db: Database,
  { path }: Table,
  column: string,
  condition: string,
): Promise<{ where: string; value: string | null }> {
  const source = `read_parquet(${literal(parquetSource(path))}, union_by_name = true, filename = ${literal(fileColumn)})`
  // DuckDB has no text of the first times that it can store.
  const value = `TRY(CAST(${identifier(column)} AS VARCHAR)) AS value`
  const query = `SELECT ${placeOf}, ${value} FROM ${source} WHERE ${condition} LIMIT 1`
  const [found] = await db.rows<{ file: string; row: bigint; value: string | null }>(query)
  if (!found) return { where: `${path}: column '${column}'`, value: null }
  return { where: `${found.file}: column '${column}', row ${found.row}`, value: found.value }
}

async function checkValues(
  db: Database,
  source: string,
  name: string,
  stored: string,
  { type, nullable, unique }: ColumnRule,
): Promise<void> {
  const column = identifier(name)
  const where = ({ file, row }: { file: string; row: bigint }) => `${file}: column '${name}', row ${row}`
  const { bad, show, rule: expected } = types[type]
  if (bad && !nullable) {
    const value = `CAST(${show ? show(column) : column} AS VARCHAR) AS value`
    const query = `SELECT ${placeOf}, ${value} FROM ${source} WHERE ${bad(column, stored)} LIMIT 1`
    const [found] = await db.rows<{ file: string; row: bigint; value: string | null }>(query)
    if (found) {
      const [what, remedy] = [found.value ?? 'null', 'correct or drop the row']
      throw new UserError({ id: `${type}-value`, where: where(found), what, expected, remedy })
    }
  }
  if (unique) {
    const value = `CAST(${column} AS VARCHAR)`
    const query = `SELECT ${value} AS value, count(*) AS count FROM ${source}
      GROUP BY ${column} HAVING count(*) > 1 ORDER BY ${column} LIMIT 1`
    const [repeated] = await db.rows<{ value: string; count: bigint }>(query)
    if (repeated) {
      const places = `SELECT ${placeOf} FROM ${source} WHERE ${value} = ${literal(repeated.value)}`
      const found = await db.row<{ file: string; row: bigint }>(`${places} ORDER BY file DESC, row DESC LIMIT 1`)
      const what = `${repeated.value} occurs ${repeated.count} times`
      const [expected, remedy] = ['unique ids', 'drop the repeated rows']
      throw new UserError({ id: 'duplicate-id', where: where(found), what, expected, remedy })
    }
  }
}

/** A table with ids, and their DuckDB type. */
export interface IdSource {
  path: string
  type: string
}

/**
 * Ids that tables are joined by must be all integers or all strings.
 * @throws UserError `id-types` with the path of a table that differs from the first.
 */
export function requireSameIds(of: 'item' | 'user', sources: readonly IdSource[]): void {
  const family = ({ type }: IdSource) => (type === 'VARCHAR' ? 'string' : 'integer')
  const [first] = sources
  const odd = sources.find((source) => family(source) !== family(first))
  if (!odd) return
  throw new UserError({
    id: 'id-types',
    where: odd.path,
    what: `${of} ids are ${family(odd)} here but ${family(first)} in ${first.path}`,
    expected: 'the same type everywhere',
    remedy: 'cast the ids when writing the files',
  })
}

/** The ids of a column, or of the lists in it. */
export function idsOf({ path, columns }: Table, column: string): IdSource {
  return { path, type: columns.get(column)!.replace(/\[\d*\]$/, '') }
}

/** The ids in `numbers`, a DuckDB table of ids and dense numbers. */
export async function numberedIds(db: Database, numbers: string): Promise<IdSource> {
  const query = `SELECT column_type AS type FROM (DESCRIBE ${numbers}) WHERE column_name = 'item_id'`
  const { type } = await db.row<{ type: string }>(query)
  return { path: 'the other tables', type }
}
