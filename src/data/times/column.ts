/** The time column of a table: SQL of its times in microseconds, and their span. */
import { UserError } from '../../base/errors.js'
import type { DataFacts } from '../facts.js'
import { locate, type Table } from '../tables/contract.js'
import { type Database, identifier, literal } from '../tables/duckdb.js'
import { badValue, isFraction, type Span, type StoredTime, spanOf, storedTime } from './stored.js'
import {
  calendarDigits,
  futureFrom,
  isoText,
  isPlausible,
  microsecondsIn,
  plausibleYears,
  type TimeUnit,
  unitNames,
  unitOf,
  yearsOf,
} from './units.js'

export interface TimeOptions {
  /** Unit of times that are numbers; auto: inferred from their magnitude. */
  unit: TimeUnit | 'auto'
  /** IANA time zone of times without a zone; null: UTC. */
  zone: string | null
}

export interface TimeColumn {
  /** The table and its column, for errors. */
  where: string
  /** Numbers count from 1970 in UTC; naive times have no zone. */
  clock: 'number' | 'naive' | 'zoned'
  /** SQL expression over the columns of the table: microseconds since 1970, BIGINT. */
  sql: string
  /** Least difference of two times that can be stored, in microseconds: a day for dates. */
  step: number
  /** First and last time in microseconds since 1970; undefined for a table without rows. */
  first?: number
  last?: number
  /** The same as ISO 8601 in UTC. */
  from?: string
  to?: string
  /** How times are stored, e.g. `seconds since 1970 (inferred)`; undefined for timestamps with a time zone. */
  stored?: string
}

/**
 * Checks the time column of an open table and finds its span, in one pass over the column.
 * @param facts gets the warning `time-range` if an explicit unit gives implausible years, times in the future, or
 * numbers that look like dates in digits
 * @throws UserError `time-parts` if files of the table store times in different ways; `time-value` for a time that is
 * missing, infinite, no ISO 8601 text, or too far from 1970 for microseconds in 64 bits; `time-zone` if only some texts
 * have a zone; and unless the unit is explicit: `time-unit` if the unit of numbers cannot be inferred, `time-range` for
 * a time in an implausible year or over a year from now, and for dates written as digits, such as 2024030112.
 */
export async function openTime(
  db: Database,
  table: Table,
  column: string,
  options: TimeOptions,
  facts: DataFacts,
): Promise<TimeColumn> {
  const stored = await storedTime(db, table, column)
  const span = await spanOf(db, stored)
  const isNumber = stored.family === 'number'
  const time = isNumber ? await numberTime(db, stored, span, options) : await stampTime(db, stored, span, options)
  const { first, last } = time
  if (first === undefined || last === undefined) return time
  const known = { ...time, from: isoText(first), to: isoText(last) }
  const isCalendar = isNumber && (await isCalendarNumber(db, stored, span))
  if (isPlausible(first) && isPlausible(last) && last < futureFrom() && !isCalendar) return known
  if (options.unit === 'auto') throw await oddTime(db, stored, span, time, isCalendar)
  const unit = isNumber ? `, read as ${unitNames[options.unit]}` : ''
  const what = `times are from ${known.from} to ${known.to}${unit}${isCalendar ? ', but look like dates in digits' : ''}`
  facts.warn({ id: 'time-range', where: stored.where, what, remedy: 'check the times and data.timeUnit' })
  return known
}

/** Rows that show whether numbers are dates written as digits, and distinct ones that moments since 1970 never are. */
const sampled = 10_000
const fewestDistinct = 100

/** Whether numbers are calendar dates such as 2024030112: chance makes single moments since 1970 look so, not many. */
async function isCalendarNumber(db: Database, { table, value }: StoredTime, { least, most }: Span): Promise<boolean> {
  if (!isCalendarText(least) || !isCalendarText(most)) return false
  const { distinct, others } = await db.row<{ distinct: bigint; others: bigint }>(
    `SELECT count(DISTINCT x) AS distinct, count(*) FILTER (NOT regexp_full_match(x, '${calendarDigits}')) AS others
     FROM (SELECT CAST(CAST(${value} AS HUGEINT) AS VARCHAR) AS x FROM ${table.source} LIMIT ${sampled})`,
  )
  return others === 0n && distinct >= fewestDistinct
}

const isCalendarText = (number: Span['least']) => new RegExp(`^(${calendarDigits})$`).test(String(number))

/** The error of times, under an inferred unit, that are dates written as digits, in implausible years or the future. */
async function oddTime(
  db: Database,
  stored: StoredTime,
  span: Span,
  { first, last }: TimeColumn,
  isCalendar: boolean,
): Promise<UserError> {
  if (!isPlausible(first!)) return await oddYear(db, stored, span.least)
  if (!isPlausible(last!)) return await oddYear(db, stored, span.most)
  const { where, value } = await placeOf(db, stored, span.most!)
  const isDigits = isCalendar || (stored.family === 'number' && [span.least, span.most].every(isCalendarText))
  const end = isoText(futureFrom()).slice(0, 10)
  return new UserError({
    id: 'time-range',
    where,
    what: `the time ${value} is ${isoText(last!)}${isDigits ? ', but looks like a date and hour in digits' : ', in the future'}`,
    expected: isDigits ? 'times since 1970' : `times before ${end}`,
    remedy: isDigits
      ? 'write the column as timestamps; if these are times since 1970, set data.timeUnit to s, ms, us or ns'
      : 'correct or drop the row; if the times are right, set data.timeUnit to s, ms, us or ns',
  })
}

/** Of times further from 1970 the difference of two has no microseconds in 64 bits. */
const mostMicroseconds = 4.6e18

/** @throws UserError `time-value` for a time too far from 1970; `factor` gives microseconds in the unit of values. */
async function requireNear(db: Database, stored: StoredTime, times: readonly (number | undefined)[], factor: number) {
  if (times.every((time) => time === undefined || Math.abs(time) <= mostMicroseconds)) return
  throw await badValue(db, stored, `abs(CAST(${stored.value} AS DOUBLE)) > ${mostMicroseconds / factor}`)
}

async function numberTime(db: Database, stored: StoredTime, span: Span, { unit }: TimeOptions): Promise<TimeColumn> {
  const { where, value, type } = stored
  const used = unit === 'auto' ? await inferUnit(db, stored, span) : unit
  const factor = microsecondsIn[used]
  const [first, last] = [span.least, span.most].map((x) => (x === undefined ? x : Math.round(Number(x) * factor)))
  await requireNear(db, stored, [first, last], factor)
  const integer = factor < 1 ? `${value} // ${1 / factor}` : `${value} * ${factor}`
  const name = `${isFraction(type) ? 'fractional ' : ''}${unitNames[used]} since 1970`
  return {
    where,
    clock: 'number',
    sql: `CAST(${isFraction(type) ? `round(${value} * ${factor})` : integer} AS BIGINT)`,
    step: isFraction(type) ? 1 : Math.max(1, factor),
    first,
    last,
    stored: unit === 'auto' ? `${name} (inferred)` : name,
  }
}

/**
 * The unit in which all numbers of a column are times in plausible years.
 * @throws UserError `time-unit`
 */
async function inferUnit(db: Database, stored: StoredTime, { least, most }: Span): Promise<TimeUnit> {
  if (least === undefined || most === undefined) return 's'
  const [low, high] = [unitOf(Number(least)), unitOf(Number(most))]
  if (low !== undefined && low === high) return low
  if (low === undefined || high === undefined) throw await oddYear(db, stored, low === undefined ? least : most)
  const [one, other] = [await placeOf(db, stored, least), await placeOf(db, stored, most)]
  throw new UserError({
    id: 'time-unit',
    where: other.where,
    what: `${other.value} is in ${unitNames[high]}, but ${one.value} (${one.where}) is in ${unitNames[low]}`,
    expected: 'one unit in the whole column',
    remedy: 'write the table again with one unit, or set data.timeUnit',
  })
}

/** The error of a value in an implausible year, with its row. */
async function oddYear(db: Database, stored: StoredTime, raw: Span['least']): Promise<UserError> {
  const { where, value } = await placeOf(db, stored, raw!)
  const years = `${plausibleYears.from} to ${plausibleYears.to}`
  if (stored.family !== 'number') {
    const [what, expected] = [`the time ${value ?? isoText(Number(raw))} is not plausible`, `a year from ${years}`]
    const isConverted = isoText(Number(raw)).startsWith('1970')
    const remedy = isConverted
      ? "if numbers were converted in the wrong unit, convert them again (in pandas: to_datetime(ts, unit='s'))"
      : 'correct or drop the row; if the times are right, data.timeUnit=us accepts all years'
    return new UserError({ id: 'time-range', where, what, expected, remedy })
  }
  const isDay = String(value).length === 8
  const remedy = isCalendarText(raw)
    ? `if this is a date written as ${isDay ? 'YYYYMMDD' : 'digits'}, write the column as ${isDay ? 'dates' : 'timestamps'}`
    : 'set data.timeUnit to s, ms, us or ns, or correct the row'
  return new UserError({
    id: 'time-unit',
    where,
    what: `the unit of times cannot be inferred: ${value} is the year ${yearsOf(Number(raw))}`,
    expected: `years from ${years}`,
    remedy,
  })
}

const placeOf = (db: Database, { table, column, value }: StoredTime, raw: number | bigint) =>
  locate(db, table, column, `${value} = ${raw}`)

async function stampTime(db: Database, stored: StoredTime, span: Span, { zone }: TimeOptions): Promise<TimeColumn> {
  const { family, value, where, column } = stored
  const isNaive = !span.isZoned
  const local = (timestamp: string) => `epoch_us(timezone(${literal(zone ?? 'UTC')}, ${timestamp}))`
  const isRead = isNaive && zone !== null
  const names = [
    ...(family === 'date' ? ['dates'] : family === 'text' ? ['text'] : []),
    ...(isNaive ? [`without a time zone, read as ${zone ?? 'UTC'}`] : []),
  ]
  const stamps = [span.least, span.most].map((raw) => (raw === undefined ? raw : Number(raw)))
  await requireNear(db, stored, stamps, 1)
  const moments = stamps.map(async (raw) => {
    if (raw === undefined || !isRead) return raw
    return Number((await db.row<{ us: bigint }>(`SELECT ${local(`make_timestamp(${raw})`)} AS us`)).us)
  })
  const [first, last] = await Promise.all(moments)
  return {
    where,
    clock: isNaive ? 'naive' : 'zoned',
    sql: isRead ? local(`CAST(${identifier(column)} AS TIMESTAMP)`) : value,
    step: family === 'date' ? 86_400e6 : 1,
    first,
    last,
    stored: names.length > 0 ? names.join(' ') : undefined,
  }
}

/**
 * Times of several tables can be compared if all have a time zone or none has; numbers count from 1970 in UTC.
 * @param facts gets the warning `time-zone` if times without a zone, read as UTC, meet numbers
 * @throws UserError `time-zone`
 */
export function requireOneClock(times: readonly TimeColumn[], zone: string | null, facts: DataFacts): void {
  const [naive, zoned, number] = (['naive', 'zoned', 'number'] as const).map((clock) =>
    times.find((time) => time.clock === clock),
  )
  if (!naive || zone !== null) return
  const remedy = 'set data.timeZone to the zone of times without one, e.g. UTC or Asia/Shanghai'
  if (zoned) {
    const what = `times have no time zone, but ${zoned.where} has one`
    throw new UserError({ id: 'time-zone', where: naive.where, what, expected: 'a zone everywhere or nowhere', remedy })
  }
  if (number) {
    const what = `times have no time zone and are read as UTC, as ${number.where} counts from 1970 in UTC`
    facts.warn({ id: 'time-zone', where: naive.where, what, remedy: 'if they are local times, set data.timeZone' })
  }
}
