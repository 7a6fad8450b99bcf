/** How a column of a table stores times, and the span of its values. */
import { messageOf, UserError } from '../../base/errors.js'
import { locate, type Table } from '../tables/contract.js'
import { type Database, identifier } from '../tables/duckdb.js'
import { partSchemas } from '../tables/parts.js'
import { fileRowColumn, openSource } from '../tables/source.js'

/** Ways to store times. Times of two families can be compared only after they are converted. */
export type Family = 'number' | 'naive' | 'zoned' | 'date' | 'text'

export interface StoredTime {
  table: Table
  column: string
  /** DuckDB type. */
  type: string
  family: Family
  /** SQL of a number in the order of time; null where there is no time. Microseconds unless the column has numbers. */
  value: string
  /** For errors. */
  where: string
}

/** ISO 8601 as warehouses write it: a date, or date and time, perhaps with a zone. */
const isoTime = '\\d{4}-\\d{2}-\\d{2}([ T]\\d{2}:\\d{2}(:\\d{2}([.]\\d{1,9})?)?( ?(Z|UTC|[+-]\\d{2}(:?\\d{2})?))?)?'
const withZone = ':\\d{2}([.]\\d+)? ?(Z|UTC|[+-]\\d{2}(:?\\d{2})?)$'

/** @throws UserError `time-parts` if files of the table store times in different ways. */
export async function storedTime(db: Database, table: Table, column: string): Promise<StoredTime> {
  await requireSameParts(db, table, column)
  const type = table.columns.get(column) ?? ''
  const [family, quoted] = [familyOf(type), identifier(column)]
  const value: Record<Family, string> = {
    number: numberSql(quoted, type),
    naive: `epoch_us(${quoted})`,
    zoned: `epoch_us(${quoted})`,
    date: `epoch_us(TRY_CAST(${quoted} AS TIMESTAMP))`,
    text: `CASE WHEN regexp_full_match(${quoted}, '${isoTime}') THEN epoch_us(TRY_CAST(${quoted} AS TIMESTAMPTZ)) END`,
  }
  return { table, column, type, family, value: value[family], where: `${table.path}: column '${column}'` }
}

function familyOf(type: string): Family {
  if (type === 'VARCHAR') return 'text'
  if (type === 'DATE') return 'date'
  if (type === 'TIMESTAMP WITH TIME ZONE') return 'zoned'
  return type.startsWith('TIMESTAMP') ? 'naive' : 'number'
}

/** Whether numbers of a DuckDB type may have a fraction. */
export const isFraction = (type: string) => /^DOUBLE$|^DECIMAL\(\d+,[1-9]\d*\)$/.test(type)

function numberSql(column: string, type: string): string {
  if (isFraction(type)) return `CASE WHEN isfinite(CAST(${column} AS DOUBLE)) THEN CAST(${column} AS DOUBLE) END`
  return `CAST(${column} AS ${/^(U?BIGINT|U?HUGEINT|DECIMAL.*)$/.test(type) && type !== 'BIGINT' ? 'HUGEINT' : 'BIGINT'})`
}

const familyNames: Record<Family, string> = {
  number: 'numbers',
  naive: 'timestamps without a time zone',
  zoned: 'timestamps with a time zone',
  date: 'dates',
  text: 'text',
}

/** DuckDB converts the parts of a table to one type, and takes timestamps without a zone for UTC. */
async function requireSameParts(db: Database, table: Table, column: string): Promise<void> {
  const found = (await partSchemas(db, table.files)).flatMap(({ files: [file], typeOf }) => {
    const type = typeOf(column)
    return type === undefined ? [] : [{ family: familyOf(type), file }]
  })
  const other = found.find(({ family }) => family !== found[0].family)
  if (!other) return
  throw new UserError({
    id: 'time-parts',
    where: `${other.file}: column '${column}'`,
    what: `times are ${familyNames[other.family]} here but ${familyNames[found[0].family]} in ${found[0].file}`,
    expected: 'the same type of times in all files of a table',
    remedy: 'write the files again with one type',
  })
}

/** Least and greatest value of a column; undefined if the table has no rows. */
export interface Span {
  least: number | bigint | undefined
  most: number | bigint | undefined
  /** Whether texts have a time zone. */
  isZoned: boolean
}

/**
 * One pass over the column.
 * @throws UserError `time-value` with the row of a value that is no time; `time-zone` if only some texts have a zone.
 */
export async function spanOf(db: Database, time: StoredTime): Promise<Span> {
  const { table, column, family, value } = time
  const zoned = family === 'text' ? `regexp_matches(${identifier(column)}, '${withZone}')` : 'false'
  const { rows, valid, zones, least, most } = await scanned(db, time, () =>
    db.row<{ rows: bigint; valid: bigint; zones: bigint; least: number | bigint | null; most: number | bigint | null }>(
      `SELECT count(*) AS rows, count(v) AS valid, count(*) FILTER (z) AS zones, min(v) AS least, max(v) AS most
       FROM (SELECT ${value} AS v, ${zoned} AS z FROM ${table.source})`,
    ),
  )
  if (valid < rows) throw await badValue(db, time, `${value} IS NULL`)
  if (zones > 0n && zones < rows) {
    const { where, value: text } = await locate(db, table, column, `NOT ${zoned}`)
    const [what, expected] = [`${text} has no time zone, but other times have one`, 'all times with a zone, or none']
    throw new UserError({
      id: 'time-zone',
      where,
      what,
      expected,
      remedy: 'write the file again with one form of times',
    })
  }
  return { least: least ?? undefined, most: most ?? undefined, isZoned: family === 'zoned' || zones > 0n }
}

/** The error of the first row with a bad time. */
export async function badValue(db: Database, { table, column, family }: StoredTime, bad: string): Promise<UserError> {
  const { where, value } = await locate(db, table, column, bad)
  const expected = {
    number: 'a time since 1970, in every row',
    text: 'a time in ISO 8601, such as 2024-03-01T12:30:00Z, in every row',
    other: 'a time in every row',
  }[family === 'number' || family === 'text' ? family : 'other']
  return new UserError({ id: 'time-value', where, what: value ?? 'null', expected, remedy: 'correct or drop the row' })
}

/** Turns DuckDB's errors about times outside the range of a type into UserErrors. */
async function scanned<T>(db: Database, time: StoredTime, query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (error) {
    const [, text] = /^(?:Conversion|Out of Range) Error: (.*)/.exec(messageOf(error)) ?? []
    if (text === undefined) throw error
    const { table, column } = time
    const { where = time.where, value } = await firstBeyond(db, table.files, column)
    const [what, expected] = [value ?? text, 'times within the range of their type; nanoseconds end in the year 2262']
    throw new UserError({ id: 'time-value', where, what, expected, remedy: 'correct or drop the row' })
  }
}

/** The first timestamp beyond the range of nanoseconds, to which parts are converted if one part has them. */
async function firstBeyond(db: Database, table: string, column: string): Promise<{ where?: string; value?: string }> {
  const name = identifier(column)
  const files = await db.rows<{ file: string }>(
    `SELECT DISTINCT file_name AS file FROM parquet_schema(${table}) ORDER BY ALL`,
  )
  for (const { file } of files) {
    const beyond = `epoch_us(${name}) NOT BETWEEN -9223372036854775 AND 9223372036854775`
    try {
      const { placed } = await openSource(db, file)
      const query = `SELECT CAST(${name} AS VARCHAR) AS value, ${fileRowColumn} + 1 AS row
        FROM ${placed()} WHERE ${beyond} LIMIT 1`
      const [found] = await db.rows<{ value: string; row: bigint }>(query)
      if (found) return { where: `${file}: column '${column}', row ${found.row}`, value: found.value }
    } catch {
      // A file that cannot be read even alone.
      return { where: `${file}: column '${column}'` }
    }
  }
  return {}
}
