/** Times of impressions and behaviors: read alike, and checked against each other. */
import { UserError } from '../../base/errors.js'
import type { DataFacts } from '../facts.js'
import type { Table } from '../tables/contract.js'
import { type Database, identifier } from '../tables/duckdb.js'
import { fileColumn, fileRowColumn } from '../tables/source.js'
import { openTime, requireOneClock, type TimeColumn, type TimeOptions } from '../times/column.js'
import type { TimeUnit } from '../times/units.js'

/** SQL name of the column with the time of a row in microseconds since 1970. */
export const timeColumn = identifier('mim: time')

export interface ClickTimeOptions {
  /** Unit of times that are numbers, for all tables or by table; auto: inferred. */
  timeUnit: TimeUnit | 'auto' | Record<'impressions' | 'behaviors', TimeUnit | 'auto'>
  /** IANA time zone of times without a zone; null: UTC. */
  timeZone: string | null
  /** Whether impressions are scored: they may be few, and of users without earlier behaviors. */
  unlabeled?: boolean
}

/** First and last time; undefined for tables without rows. */
export type TimeSpan = Pick<TimeColumn, 'first' | 'last' | 'from' | 'to' | 'stored'>

export interface ClickTimes {
  /** Of the table of impressions, or of those of train, valid and test. */
  impressions: TimeColumn[]
  /** Span of all impressions. */
  shown: TimeSpan
  /** undefined if histories are listed. */
  behaviors?: TimeColumn
}

/**
 * Opens the time column of the tables.
 * @param facts gets the warnings `split-order`, `times-apart`, `times-rounded`, `time-zone`, `time-range`, and
 * `times-disjoint` if impressions are scored
 * @throws UserError those of `openTime`; `time-zone`, `split-order`, `times-disjoint` if the tables do not fit together
 */
export async function openClickTimes(
  db: Database,
  tables: readonly Table[],
  log: Table | undefined,
  column: string,
  { timeUnit, timeZone: zone, unlabeled }: ClickTimeOptions,
  facts: DataFacts,
): Promise<ClickTimes> {
  const optionsOf = (table: 'impressions' | 'behaviors'): TimeOptions => ({
    unit: typeof timeUnit === 'string' ? timeUnit : timeUnit[table],
    zone,
  })
  const impressions: TimeColumn[] = []
  for (const table of tables) impressions.push(await openTime(db, table, column, optionsOf('impressions'), facts))
  const behaviors = log && (await openTime(db, log, column, optionsOf('behaviors'), facts))
  requireOneClock(behaviors ? [...impressions, behaviors] : impressions, zone, facts)
  checkOrder(impressions, facts)
  const shown = wholeSpan(impressions)
  if (!behaviors) return { impressions, shown }
  checkSpans(shown, behaviors, unlabeled === true, facts)
  const steps: number[] = []
  for (const [i, time] of impressions.entries()) steps.push((await observedSteps(db, tables[i], time)).finest)
  const observed = await observedSteps(db, log!, behaviors)
  return { impressions, shown, behaviors: atEnd(behaviors, observed, Math.min(...steps), facts) }
}

function wholeSpan(parts: readonly TimeColumn[]): TimeSpan {
  const spans = parts.filter(isSpan)
  if (spans.length === 0) return {}
  const { first, from } = spans.reduce((a, b) => (b.first < a.first ? b : a))
  const { last, to } = spans.reduce((a, b) => (b.last > a.last ? b : a))
  const stored = [...new Set(spans.flatMap(({ stored }) => stored ?? []))].join('; ')
  return { first, from, last, to, stored: stored === '' ? undefined : stored }
}

type Span = Required<Pick<TimeColumn, 'first' | 'last' | 'from' | 'to'>>

const isSpan = <T extends TimeSpan>(time: T): time is T & Span => time.first !== undefined
const spanText = ({ from, to, stored }: TimeSpan) => `${from} to ${to}${stored ? ` (${stored})` : ''}`

const partNames = ['train', 'valid', 'test']

/** Tables of parts: no part may come before the training part. */
function checkOrder(parts: readonly TimeColumn[], facts: DataFacts): void {
  const [train] = parts
  for (const [i, part] of parts.entries()) {
    if (i === 0 || !isSpan(train) || !isSpan(part) || part.first > train.last) continue
    const what = `${partNames[i]} is from ${spanText(part)}, but train from ${spanText(train)}`
    const where = part.where
    if (part.last < train.first) {
      const expected = 'later times than those of train'
      const remedy = 'check data.impressions, data.timeUnit and data.timeZone'
      throw new UserError({ id: 'split-order', where, what, expected, remedy })
    }
    if (part.first < train.last) {
      facts.warn({ id: 'split-order', where, what: `${what}: training sees the future of ${partNames[i]}` })
    }
  }
}

const day = 86_400e6
/** Behaviors that end this long before the first impression belong to other times. */
const mostApart = 3650 * day

/** Histories need behaviors before impressions. */
function checkSpans(shown: TimeSpan, behaviors: TimeColumn, isScored: boolean, facts: DataFacts): void {
  if (!isSpan(shown) || !isSpan(behaviors)) return
  const gap = shown.first - behaviors.last
  const what = `behaviors are from ${spanText(behaviors)}, impressions from ${spanText(shown)}`
  const where = behaviors.where
  if (behaviors.first >= shown.last || gap > mostApart) {
    const expected = 'behaviors before impressions, from which histories are built'
    const remedy = 'check the tables, data.timeUnit and data.timeZone'
    if (!isScored) throw new UserError({ id: 'times-disjoint', where, what, expected, remedy })
    facts.warn({ id: 'times-disjoint', where, what: `${what}; expected ${expected}`, remedy })
    return
  }
  if (gap > Math.max(day, shown.last - shown.first)) {
    const days = Math.round(gap / day)
    const remedy = 'check data.timeUnit and data.timeZone if the log is not that old'
    facts.warn({ id: 'times-apart', where, what: `${what}: ${days} days lie between them`, remedy })
  }
}

/** Rows of each file that show how fine times are, and fewest rows that do. */
const sampled = 10_000
const fewest = 100
const steps = [day, 3600e6, 60e6, 1e6, 1e3]
const stepNames: Record<number, string> = {
  [day]: 'day',
  3600e6: 'hour',
  60e6: 'minute',
  1e6: 'second',
  1e3: 'millisecond',
}

/** How fine the times of a table are: the steps, in microseconds, in which those of its files are apart. */
interface ObservedSteps {
  finest: number
  coarsest: number
  /** A file with the coarsest step, and a time in it. */
  file?: string
  base: number
}

interface FileTimes {
  file: string
  rows: number
  distinct: number
  /** The first time, and the greatest step in which the others are apart from it. */
  base: number
  step: number
}

/** Looks at the first rows of each file, because the files of a log may come from several systems. */
async function observedSteps(db: Database, { placed }: Table, time: TimeColumn): Promise<ObservedSteps> {
  const { sql, step, first } = time
  if (step === day || first === undefined) return { finest: step, coarsest: step, base: first ?? 0 }
  const cases = steps.map((step) => `WHEN (us - base) % ${step} = 0 THEN ${step}`).join(' ')
  const files = await db.rows<Record<Exclude<keyof FileTimes, 'file'>, bigint | number> & { file: string }>(
    `SELECT file, count(*) AS rows, count(DISTINCT us) AS distinct, base, min(CASE ${cases} ELSE 1 END) AS step
     FROM (SELECT ${fileColumn} AS file, ${sql} AS us, min(us) OVER (PARTITION BY ${fileColumn}) AS base
       FROM ${placed} WHERE ${fileRowColumn} < ${sampled})
     GROUP BY file, base ORDER BY file`,
  )
  const known = knownSteps(
    files.map(({ file, rows, distinct, base, step }) => ({
      file,
      rows: Number(rows),
      distinct: Number(distinct),
      base: Number(base),
      step: Number(step),
    })),
  )
  if (known.length === 0) return { finest: step, coarsest: step, base: first }
  const coarsest = known.reduce((a, b) => (b.step > a.step ? b : a))
  const finest = Math.max(step, Math.min(...known.map(({ step }) => step)))
  return { finest, coarsest: Math.max(step, coarsest.step), file: coarsest.file, base: coarsest.base }
}

/** The files that show their step, and as one those that are too small to do it alone. */
function knownSteps(files: readonly FileTimes[]): FileTimes[] {
  const areDays = ({ base, step, distinct }: FileTimes) => step === day && (base % day === 0 || distinct > 2)
  const isKnown = (times: FileTimes) => areDays(times) || (times.rows >= fewest && times.distinct > 1)
  const [known, small] = [files.filter(isKnown), files.filter((times) => !isKnown(times))]
  if (small.length === 0) return known
  const [{ file, base }] = small
  const apart = (one: FileTimes) => steps.find((step) => (one.base - base) % step === 0) ?? 1
  const together = {
    file,
    base,
    rows: small.reduce((sum, { rows }) => sum + rows, 0),
    distinct: Math.max(new Set(small.map(({ base }) => base)).size, ...small.map(({ distinct }) => distinct)),
    step: Math.min(...small.map((one) => Math.min(one.step, apart(one)))),
  }
  return isKnown(together) ? [...known, together] : known
}

/**
 * Behaviors with times in coarser steps than impressions happened anywhere in it. They count from
 * its end, because an earlier impression of the step would see the future. If only some files are cut, the times that
 * begin a step count from its end.
 */
function atEnd(behaviors: TimeColumn, observed: ObservedSteps, ofImpressions: number, facts: DataFacts): TimeColumn {
  const { where, sql } = behaviors
  const { coarsest: step, finest, file, base } = observed
  const name = stepNames[Math.max(step, ofImpressions)]
  if (ofImpressions >= 3600e6 && ofImpressions > step) {
    const what = `times of impressions are whole ${name}s: histories end before the ${name} of the impression`
    facts.warn({ id: 'times-rounded', where, what })
  }
  if (step <= ofImpressions) return behaviors
  const isMixed = finest < step
  const part = isMixed ? ` in ${file}` : ''
  const what = `times of behaviors are whole ${name}s${part}: a behavior counts from the end of its ${name}`
  if (step >= 3600e6) facts.warn({ id: 'times-rounded', where, what, remedy: 'write exact times for better histories' })
  else facts.notes.push(what)
  const shift = isMixed ? `CASE WHEN (${sql} - ${base}) % ${step} = 0 THEN ${step - 1} ELSE 0 END` : `${step - 1}`
  return { ...behaviors, sql: `${sql} + ${shift}` }
}
