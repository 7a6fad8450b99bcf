/** Checks Parquet inputs against their contract before anything is computed from them. */
import { UserError } from '../../base/errors.js'
import { nearest } from '../../base/suggest.js'
import { DataFacts } from '../facts.js'
import { isPictureType } from '../pictures/column.js'
import { type Database, identifier, literal } from './duckdb.js'
import { requireSameIdParts } from './idParts.js'
import { castId, exactType, isFloating, isIdType, notWhole, notWholeValue, wholeRule } from './ids.js'
import type { PartialColumn } from './parts.js'
import { fileColumn, fileRowColumn, openSource, type TableSource } from './source.js'

export { findTable } from './files.js'

/** Type of a column; see the data contract in the README. */
export type ColumnType =
  | 'any'
  | 'id'
  | 'text'
  | 'title'
  | 'image'
  | 'label'
  | 'weight'
  | 'time'
  | 'number'
  | 'vector'
  | 'ids'

export interface ColumnRule {
  type: ColumnType
  /** Whether the column may be missing, or all null, which counts as missing; default: no. */
  optional?: boolean
  /** Whether an id may be null; default: no. */
  nullable?: boolean
  /** Whether values must be unique; default: no. */
  unique?: boolean
  /** Of lists of ids: the column with ids of the same kind. Lists without an id, which have no type, take its type. */
  like?: string
}

export interface Table {
  /** The path as the user gave it. */
  path: string
  /** The files, as the first argument of DuckDB's functions about Parquet. */
  files: string
  /** For a FROM clause: all columns of the file, ids in exact types. */
  source: string
  /** The same with `fileColumn`, `fileRowColumn` and `fileNumberColumn`. */
  placed: string
  /**
   * DuckDB types of the columns of `source`, found by name in any case; without optional columns that are all null and
   * have another type.
   */
  columns: ReadonlyMap<string, string>
  /** Columns that share their name with another; they cannot be used. */
  repeated: ReadonlySet<string>
  /** Columns that some files lack. */
  partial: readonly PartialColumn[]
  /** Names of all columns of the file in its order, and of those that the rules name. */
  names: readonly string[]
  used: readonly string[]
  rows: number
}

const number = /^((TINY|SMALL|BIG|UTINY|USMALL|U|UBIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\([\d,]*\)|BOOLEAN)$/

interface TypeRule {
  /** DuckDB types that are accepted, and their name in errors. */
  fits: RegExp | ((type: string) => boolean)
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
    fits: (type) => !type.endsWith(']') && isIdType(type),
    expected: 'int64 or string',
    remedy: (type) => (type.endsWith(']') ? 'write one id per row: take it out of its list' : undefined),
    bad: (c) => `${c} IS NULL`,
    rule: 'an id in every row',
  },
  text: { fits: /^VARCHAR$/, expected: 'string' },
  title: {
    fits: /^(VARCHAR|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)|FLOAT|DOUBLE)$/,
    expected: 'string',
  },
  image: {
    fits: isPictureType,
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
    fits: /^(TIMESTAMP[^[]*|DATE|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|DECIMAL\([\d,]*\)|VARCHAR)$/,
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
    rule: 'finite numbers of float32, at most 3.4e38',
  },
  ids: {
    fits: (type) => type.endsWith(']') && isIdType(type),
    expected: 'a list of int64 or of strings',
    remedy: (type) =>
      type === 'VARCHAR' ? "split the text when writing the file, e.g. string_split(ids, ',')" : undefined,
  },
}

/** SQL of a label, which some tables store as the only element of a list. */
export const labelOf = (column: string, type: string) => (type.endsWith(']') ? `${column}[1]` : column)

/** SQL of the elements of a list that are no numbers of float32. */
const nonFinite = (column: string) =>
  `list_filter(${column}, lambda x: x IS NULL OR NOT isfinite(coalesce(TRY_CAST(x AS FLOAT), 'nan')))`

/**
 * Opens a Parquet table and checks it. What is unusual goes to the notes and warnings of `facts`.
 * @throws UserError `table-missing`, `table-unreadable`, `hive-key`, `column-reserved`, `column-missing`, `column-twice`,
 * `column-type`, `id-parts`; `<type>-value` or `duplicate-id` for a value that breaks its rule, with file, column and
 * row (from 1).
 */
export async function openTable(
  db: Database,
  path: string,
  rules: Readonly<Record<string, ColumnRule>>,
  facts = new DataFacts(),
): Promise<Table> {
  const source = await openSource(db, path, facts)
  const { columns } = source
  const names = [...columns.keys()]
  for (const [name, rule] of Object.entries(rules)) await checkType(db, { path, source }, name, rule, facts)
  const present = Object.entries(rules).filter(([name]) => columns.has(name))
  const ofIds = present.filter(([, { type }]) => type === 'id' || type === 'ids')
  await requireSameIdParts(
    db,
    source,
    ofIds.map(([name]) => name),
  )
  const casts = new Map<string, string>()
  for (const [name, rule] of present) {
    await checkValues(db, source, name, rule)
    const [from, to] = [columns.get(name)!, await typeToRead(db, source, name, rule)]
    if (from === to) continue
    const column = columns.nameOf(name)
    casts.set(column, castId(identifier(column), from, to))
    tellCast(facts, `${path}: column '${column}'`, rule, from, to)
    columns.set(name, to)
  }
  return {
    path,
    files: source.files,
    source: source.read(casts),
    placed: source.placed(casts),
    columns,
    repeated: columns.repeated,
    partial: source.partial,
    names,
    used: present.map(([name]) => columns.nameOf(name)),
    rows: await db.count(source.read()),
  }
}

/** Checks that a column exists and has a type that its rule allows. */
async function checkType(
  db: Database,
  { path, source: { columns, read } }: { path: string; source: TableSource },
  name: string,
  { type, optional }: ColumnRule,
  facts: DataFacts,
): Promise<void> {
  requireOnce(path, columns.repeated, name)
  const found = columns.get(name)
  if (!found) {
    if (optional) return
    throw missingColumn(path, columns, name)
  }
  const own = columns.nameOf(name)
  if (own !== name) facts.notes.push(`${path}: column '${own}' is read as '${name}'`)
  const { fits, expected, remedy: remedyOf } = types[type]
  if (typeof fits === 'function' ? fits(found) : fits.test(found)) return
  // A column of nulls may have any type, depending on the writer.
  if (optional && (await db.count(`${read()} WHERE ${identifier(name)} IS NOT NULL`)) === 0) {
    facts.notes.push(`${path}: column '${own}' is always null: it counts as missing`)
    columns.delete(name)
    return
  }
  const remedy = remedyOf?.(found) ?? 'cast the column when writing the file'
  throw new UserError({ id: 'column-type', where: path, what: `column '${own}' is ${found}`, expected, remedy })
}

/** @throws UserError `column-twice` if the table has several columns of this name. */
function requireOnce(path: string, repeated: ReadonlySet<string>, name: string): void {
  if (![...repeated].some((one) => one.toLowerCase() === name.toLowerCase())) return
  throw new UserError({
    id: 'column-twice',
    where: path,
    what: `there are several columns '${name}'; names that differ in case are the same`,
    expected: 'one column of each name',
    remedy: 'rename or drop the others',
  })
}

/** The error for a column that a table lacks. */
export function missingColumn(path: string, columns: ReadonlyMap<string, string>, name: string): UserError {
  const known = [...columns.keys()]
  const similar = nearest(name, known)
  const remedy = `${similar ? `did you mean '${similar}'?` : 'add it, or name the right one in the configuration;'} the table has ${known.join(', ')}`
  return new UserError({ id: 'column-missing', where: path, what: `column '${name}' is missing`, remedy })
}

/**
 * DuckDB type of a column that a table must have.
 * @throws UserError `column-missing`, `column-twice`
 */
export function columnType({ path, columns, repeated }: Table, name: string): string {
  requireOnce(path, repeated, name)
  const type = columns.get(name)
  if (type === undefined) throw missingColumn(path, columns, name)
  return type
}

/** The type that a column is read as: an exact one for ids, text for titles. */
async function typeToRead(db: Database, source: TableSource, name: string, rule: ColumnRule): Promise<string> {
  const { type, like } = rule
  const stored = source.columns.get(name)!
  if (type === 'title') return 'VARCHAR'
  if (type !== 'id' && type !== 'ids') return stored
  // Lists that are all empty have no type; DuckDB calls it INTEGER.
  if (like !== undefined && stored.startsWith('INTEGER[') && !(await hasElements(db, source, name))) {
    return `${source.columns.get(like)!}[]`
  }
  const exact = await exactType(db, source.read(), name, stored)
  if (exact !== undefined) return exact
  const [bad, shown] = [notWhole(identifier(name), stored), notWholeValue(identifier(name), stored)]
  await refuseRow(db, source, name, { id: 'id-value', bad, shown, expected: wholeRule(stored) })
  return stored
}

async function hasElements(db: Database, source: TableSource, name: string): Promise<boolean> {
  const found = `SELECT 1 FROM ${source.read()} WHERE len(list_filter(${identifier(name)}, lambda x: x IS NOT NULL)) > 0`
  return (await db.rows(`${found} LIMIT 1`)).length > 0
}

function tellCast(facts: DataFacts, where: string, { type }: ColumnRule, from: string, to: string): void {
  if (type === 'title') facts.notes.push(`${where} is ${from}: titles are its numbers as text`)
  else if (isFloating(from)) facts.notes.push(`${where} is ${from}: ids are read as ${to}`)
  else if (to.startsWith('VARCHAR') && /HUGEINT|DECIMAL/.test(from)) {
    facts.warn({
      id: 'ids-as-text',
      where,
      what: 'ids are beyond int64 and uint64 and are read and written as text',
      remedy: 'write the ids of all tables as string',
    })
  }
}

const placeOf = `${fileColumn} AS file, ${fileRowColumn} + 1 AS row`

interface Place {
  file: string
  row: bigint
}

/**
 * Names the first bad row, and how many there are.
 * @throws UserError `id` for the first row with the SQL condition `bad`; `shown`: SQL of the value in the error.
 */
async function refuseRow(
  db: Database,
  source: TableSource,
  name: string,
  { id, bad, shown, expected }: { id: string; bad: string; shown: string; expected: string | undefined },
): Promise<void> {
  const query = `SELECT ${placeOf}, CAST(${shown} AS VARCHAR) AS value FROM ${source.placed()} WHERE ${bad} LIMIT 1`
  const [found] = await db.rows<Place & { value: string | null }>(query)
  if (!found) return
  const where = `${found.file}: column '${name}', row ${found.row}`
  const what = found.value ?? 'null'
  const [all, rows] = [await db.count(`${source.read()} WHERE ${bad}`), await db.count(source.read())]
  if (all === 1) throw new UserError({ id, where, what, expected, remedy: 'correct or drop the row' })
  const share = `such values in ${all.toLocaleString('en-US')} of ${rows.toLocaleString('en-US')} rows`
  throw new UserError({ id, where, what: `${what}; ${share}`, expected, remedy: 'correct or drop the rows' })
}

/** The place of the first row that meets an SQL condition, for errors, and the value of a column there. */
export async function locate(
  db: Database,
  { path, placed }: Pick<Table, 'path' | 'placed'>,
  column: string,
  condition: string,
): Promise<{ where: string; value: string | null }> {
  // DuckDB has no text of the first times that it can store.
  const value = `TRY(CAST(${identifier(column)} AS VARCHAR)) AS value`
  const query = `SELECT ${placeOf}, ${value} FROM ${placed} WHERE ${condition} LIMIT 1`
  const [found] = await db.rows<{ file: string; row: bigint; value: string | null }>(query)
  if (!found) return { where: `${path}: column '${column}'`, value: null }
  return { where: `${found.file}: column '${column}', row ${found.row}`, value: found.value }
}

async function checkValues(
  db: Database,
  source: TableSource,
  name: string,
  { type, nullable, unique }: ColumnRule,
): Promise<void> {
  const column = identifier(name)
  const { bad, show, rule: expected } = types[type]
  if (bad && !nullable) {
    const condition = bad(column, source.columns.get(name)!)
    await refuseRow(db, source, name, {
      id: `${type}-value`,
      bad: condition,
      shown: show ? show(column) : column,
      expected,
    })
  }
  if (!unique) return
  const value = `CAST(${column} AS VARCHAR)`
  const query = `SELECT ${value} AS value, count(*) AS count FROM ${source.read()}
    GROUP BY ${column} HAVING count(*) > 1 ORDER BY ${column} LIMIT 1`
  const [repeated] = await db.rows<{ value: string; count: bigint }>(query)
  if (!repeated) return
  const places = `SELECT ${placeOf} FROM ${source.placed()} WHERE ${value} = ${literal(repeated.value)}`
  const { file, row } = await db.row<Place>(`${places} ORDER BY file DESC, row DESC LIMIT 1`)
  throw new UserError({
    id: 'duplicate-id',
    where: `${file}: column '${name}', row ${row}`,
    what: `${repeated.value} occurs ${repeated.count} times`,
    expected: 'unique ids',
    remedy: 'drop the repeated rows',
  })
}

/** @throws UserError `table-empty` if a table has no rows; `role`: what it is, e.g. `impressions`. */
export function requireRows({ path, rows }: Table, role: string): void {
  if (rows > 0) return
  const [what, expected] = [`the table of ${role} has no rows`, 'at least one row']
  throw new UserError({ id: 'table-empty', where: path, what, expected, remedy: 'check the step that writes it' })
}

/** Ids of a table: the place of the column, and the DuckDB type. */
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
  return { path: `${path}: column '${column}'`, type: columns.get(column)!.replace(/\[\d*\]$/, '') }
}

/** The ids in `numbers`, a DuckDB table of ids and dense numbers. */
export async function numberedIds(db: Database, numbers: string): Promise<IdSource> {
  const query = `SELECT column_type AS type FROM (DESCRIBE ${numbers}) WHERE column_name = 'item_id'`
  const { type } = await db.row<{ type: string }>(query)
  return { path: 'the other tables', type }
}
