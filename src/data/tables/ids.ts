/** Ids come out as they went in, exactly, whatever the types of the files. */
import { type Database, identifier, literal } from './duckdb.js'

/** DuckDB types of ids, or of lists of them, that stay as they are. */
const exact = /^(U?(TINY|SMALL|BIG)?INT(EGER)?|VARCHAR)(\[\d*\])?$/
/** Types with an exact text for each value. */
const asText = /^UUID(\[\d*\])?$/
/** Types of numbers that may be whole: what DuckDB makes of files that differ in type, and what databases export. */
const asNumber = /^(U?HUGEINT|DECIMAL\(\d+,\d+\)|DOUBLE|FLOAT)(\[\d*\])?$/

/** Whether a column of this DuckDB type may have ids. */
export const isIdType = (type: string) => [exact, asText, asNumber].some((types) => types.test(type))

/** Whether whole numbers of this type may have lost digits. */
export const isFloating = (type: string) => elementOf(type) in firstLost

/** From here on two whole numbers may be the same DOUBLE or FLOAT. */
const firstLost: Readonly<Record<string, { power: number; value: number }>> = {
  DOUBLE: { power: 53, value: 2 ** 53 },
  FLOAT: { power: 24, value: 2 ** 24 },
}

const elementOf = (type: string) => type.replace(/\[\d*\]$/, '')

/** SQL condition of a value, or an element of a list, that is no whole number or perhaps not the one that was meant. */
export function notWhole(column: string, type: string): string {
  if (type.endsWith(']')) return `len(${notWholeElements(column, type)}) > 0`
  return `${column} IS NOT NULL AND (${isNotWhole(column, type)})`
}

/** SQL of what an error shows of it. */
export const notWholeValue = (column: string, type: string) =>
  type.endsWith(']') ? `${notWholeElements(column, type)}[1]` : column

const notWholeElements = (column: string, type: string) =>
  `list_filter(${column}, lambda x: x IS NOT NULL AND (${isNotWhole('x', type)}))`

function isNotWhole(x: string, type: string): string {
  const lost = firstLost[elementOf(type)]
  return lost ? `NOT isfinite(${x}) OR ${x} <> trunc(${x}) OR abs(${x}) >= ${lost.value}` : `${x} <> trunc(${x})`
}

/** The rule of `notWhole` in words. */
export function wholeRule(type: string): string {
  const lost = firstLost[elementOf(type)]
  return lost ? `whole numbers below 2^${lost.power}: the column is ${elementOf(type)}` : 'whole numbers'
}

/** Ranges of the types that whole numbers are read as, the preferred first. */
const ranges = [
  { type: 'BIGINT', least: -(2n ** 63n), most: 2n ** 63n - 1n },
  { type: 'UBIGINT', least: 0n, most: 2n ** 64n - 1n },
]

/** The narrowest of BIGINT and UBIGINT that has all numbers from `least` to `most`; VARCHAR if neither does. */
const narrowest = (least: bigint, most: bigint) =>
  ranges.find((range) => least >= range.least && most <= range.most)?.type ?? 'VARCHAR'

/**
 * The type that a column of ids, or of lists of them, is read as; undefined if a value is `notWhole`. Scans the column
 * if its type is not exact.
 */
export async function exactType(db: Database, source: string, name: string, type: string): Promise<string | undefined> {
  if (asText.test(type)) return type.replace('UUID', 'VARCHAR')
  if (!asNumber.test(type)) return type
  const column = identifier(name)
  const [low, high] = type.endsWith(']') ? [`list_min(${column})`, `list_max(${column})`] : [column, column]
  const range = await db.row<{ least: string | null; most: string | null; isBad: boolean | null }>(
    `SELECT CAST(trunc(min(${low})) AS VARCHAR) AS least, CAST(trunc(max(${high})) AS VARCHAR) AS most,
       bool_or(${notWhole(column, type)}) AS "isBad" FROM ${source}`,
  )
  if (range.isBad) return undefined
  const narrow = narrowest(wholeOf(range.least), wholeOf(range.most))
  return type.endsWith(']') ? `${narrow}[]` : narrow
}

/** The number in a text such as `12`, `12.0` or `1.2e+15`. */
const wholeOf = (text: string | null) =>
  text === null ? 0n : /e/i.test(text) ? BigInt(Number(text)) : BigInt(text.split('.')[0])

/** SQL of a column of type `from` as `to`, a type of `exactType`: text without a fraction. */
export function castId(column: string, from: string, to: string): string {
  if (!to.startsWith('VARCHAR') || asText.test(from)) return `CAST(${column} AS ${to})`
  const whole = to.replace('VARCHAR', 'DECIMAL(38,0)')
  return /HUGEINT/.test(from) ? `CAST(${column} AS ${to})` : `CAST(CAST(${column} AS ${whole}) AS ${to})`
}

/**
 * Gives the ids in `column` of a DuckDB table the narrowest type that has them all. int64 and uint64 of several tables
 * meet in an integer of 128 bits, which Parquet lacks.
 */
export async function narrowIds(db: Database, table: string, column: string): Promise<void> {
  const columns = `(DESCRIBE ${table}) WHERE column_name = ${literal(column)}`
  const { type } = await db.row<{ type: string }>(`SELECT column_type AS type FROM ${columns}`)
  if (type !== 'HUGEINT') return
  const { least, most } = await db.row<{ least: bigint; most: bigint }>(
    `SELECT min(${column}) AS least, max(${column}) AS most FROM ${table}`,
  )
  const narrow = narrowest(least, most)
  // Numbers that no type has stay as they are, so that they can be joined; they are written as text.
  if (narrow !== 'VARCHAR') await db.run(`ALTER TABLE ${table} ALTER COLUMN ${column} TYPE ${narrow}`)
}
