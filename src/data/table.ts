/** Parquet inputs held against their contract before anything is computed from them. */
import { existsSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { messageOf, UserError } from '../errors.js'
import { type Database, identifier, literal } from './duckdb.js'

/** What a column must be; see the data contract in the README. */
export type ColumnType = 'any' | 'id' | 'text' | 'image' | 'label' | 'time' | 'number' | 'vector' | 'ids'

export interface ColumnRule {
  type: ColumnType
  /** May the column be missing? Default: no. */
  optional?: boolean
  /** Must each value stand once only? */
  unique?: boolean
}

export interface Table {
  /** The path as the user gave it. */
  path: string
  /** For a FROM clause: all columns of the file. */
  source: string
  /** DuckDB types of the columns that exist. */
  columns: ReadonlyMap<string, string>
  rows: number
}

/** Unit of times that are plain integers. */
export type TimeUnit = 's' | 'ms' | 'us'

const integer = /^(TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT)$/
const number = /^((TINY|SMALL|BIG|UTINY|USMALL|U|UBIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)$/

interface TypeRule {
  /** DuckDB types that will do, and how to say so. */
  fits: RegExp
  expected: string
  /** SQL conditions that single out a bad value, what to show of it, and how to say the rule. */
  bad?: (column: string) => string
  show?: (column: string) => string
  rule?: string
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
  image: { fits: /^(VARCHAR|BLOB)$/, expected: 'binary (an encoded picture) or string (its path)' },
  label: { fits: number, expected: '0 or 1', bad: (c) => `${c} IS NULL OR ${c} NOT IN (0, 1)`, rule: '0 or 1' },
  time: {
    fits: /^(TIMESTAMP.*|DATE|BIGINT|INTEGER|UBIGINT)$/,
    expected: 'timestamp, or int64 since 1970',
    bad: (c) => `${c} IS NULL`,
    rule: 'a time in every row',
  },
  number: { fits: number, expected: 'a number' },
  vector: {
    fits: /^(FLOAT|DOUBLE)\[\d*\]$/,
    expected: 'a list of float32',
    bad: (c) => `len(${nonFinite(c)}) > 0`,
    show: (c) => `${nonFinite(c)}[1]`,
    rule: 'finite numbers',
  },
  ids: { fits: /^(\w*INT(EGER)?|VARCHAR)\[\d*\]$/, expected: 'a list of int64 or of strings' },
}

const nonFinite = (column: string) => `list_filter(${column}, lambda x: x IS NULL OR NOT isfinite(x))`

/** `path` as DuckDB reads it: a folder means all Parquet files below it, hive partitions included. */
export function parquetSource(path: string): string {
  if (/^\w+:\/\//.test(path) || /[*?[]/.test(path)) return path
  return existsSync(path) && statSync(path).isDirectory() ? join(path, '**', '*.parquet') : path
}

/** A path from a configuration: relative ones start from `root`. */
export function resolvePath(root: string, path: string): string {
  return isAbsolute(path) || /^\w+:\/\//.test(path) ? path : join(root, path)
}

/** Where a table given as `x.parquet` lies: there, or in a folder of parts `x`. */
export function findTable(root: string, path: string): string {
  const full = resolvePath(root, path)
  const folder = full.replace(/\.parquet$/, '')
  return !existsSync(full) && existsSync(folder) ? folder : full
}

/**
 * Opens a Parquet table and checks it.
 * @throws UserError `table-missing`, `table-unreadable`, `column-missing`, `column-type`, or for a value
 * that breaks its rule `<type>-value` and `duplicate-id`, with file, column and row (counted from 1).
 */
export async function openTable(db: Database, path: string, rules: Record<string, ColumnRule>): Promise<Table> {
  const read = `read_parquet(${literal(parquetSource(path))}, union_by_name = true`
  const columns = await describe(db, `${read})`, path)
  for (const [name, { type, optional }] of Object.entries(rules)) {
    const found = columns.get(name)
    if (!found && !optional) {
      const remedy = `add it, or name the right one in the configuration; the table has ${[...columns.keys()].join(', ')}`
      throw new UserError({ id: 'column-missing', where: path, what: `column '${name}' is missing`, remedy })
    }
    const { fits, expected } = types[type]
    if (found && !fits.test(found)) {
      const remedy = `cast the column when the file is written`
      throw new UserError({ id: 'column-type', where: path, what: `column '${name}' is ${found}`, expected, remedy })
    }
  }
  for (const [name, rule] of Object.entries(rules)) {
    if (!columns.has(name)) continue
    await checkValues(db, path, `${read}, filename = true, file_row_number = true)`, name, rule)
  }
  const rows = await guarded(path, () => db.count(`${read})`))
  return { path, source: `${read})`, columns, rows }
}

async function describe(db: Database, source: string, path: string): Promise<Map<string, string>> {
  const query = `SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${source})`
  const rows = await guarded(path, () => db.rows<{ name: string; type: string }>(query))
  return new Map(rows.map(({ name, type }) => [name, type]))
}

/** DuckDB's complaint about a file as an error of the user's. */
async function guarded<T>(path: string, query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (error) {
    const text = messageOf(error)
      .split('\n')[0]
      .replace(/^[\w ]+ Error: /, '')
    if (text.startsWith('No files found')) {
      throw new UserError({
        id: 'table-missing',
        where: path,
        what: 'no such Parquet file',
        remedy: 'check the path and data.root',
      })
    }
    throw new UserError({
      id: 'table-unreadable',
      where: path,
      what: `cannot be read as Parquet: ${text}`,
      expected: 'a complete Parquet file',
      remedy: 'write or copy the file again',
    })
  }
}

async function checkValues(db: Database, path: string, source: string, name: string, rule: ColumnRule): Promise<void> {
  const column = identifier(name)
  const { bad, show, rule: expected } = types[rule.type]
  if (bad) {
    const value = `CAST(${show ? show(column) : column} AS VARCHAR) AS value`
    const query = `SELECT filename, file_row_number + 1 AS row, ${value} FROM ${source} WHERE ${bad(column)} LIMIT 1`
    const [found] = await guarded(path, () => db.rows<{ filename: string; row: bigint; value: string | null }>(query))
    if (found) {
      const where = `${found.filename}: column '${name}', row ${found.row}`
      const what = found.value ?? 'null'
      throw new UserError({ id: `${rule.type}-value`, where, what, expected, remedy: 'correct or drop the row' })
    }
  }
  if (rule.unique) {
    const query = `SELECT max(filename) AS filename, CAST(${column} AS VARCHAR) AS value, count(*) AS count, max(file_row_number) + 1 AS row
      FROM ${source} GROUP BY ${column} HAVING count(*) > 1 ORDER BY row LIMIT 1`
    const [found] = await db.rows<{ filename: string; value: string; count: bigint; row: bigint }>(query)
    if (found) {
      const where = `${found.filename}: column '${name}', row ${found.row}`
      const what = `${found.value} stands ${found.count} times`
      throw new UserError({
        id: 'duplicate-id',
        where,
        what,
        expected: 'each id once',
        remedy: 'drop the repeated rows',
      })
    }
  }
}

/** SQL for microseconds since 1970 of a time column. */
export function microseconds(table: Table, column: string, unit: TimeUnit): string {
  const type = table.columns.get(column) ?? ''
  const quoted = identifier(column)
  if (!integer.test(type)) return `epoch_us(CAST(${quoted} AS TIMESTAMPTZ))`
  return `CAST(${quoted} AS BIGINT) * ${{ s: 1_000_000, ms: 1000, us: 1 }[unit]}`
}
