/** Checks the values of features: numbers must be finite, and a feature should vary without naming single rows. */
import { UserError } from '../../../base/errors.js'
import type { DataFacts } from '../../facts.js'
import type { Column } from '../../tables/column.js'
import { locate } from '../../tables/contract.js'
import type { JoinPolicy } from '../../tables/coverage.js'
import type { Database } from '../../tables/duckdb.js'
import { type FeatureColumn, numbersOf } from '../features.js'
import { isOf } from '../numbers.js'
import type { ClickPlan } from '../plan.js'
import type { Clicks } from '../read.js'

/** A category with fewer distinct values is not looked at. */
const manyValues = 20
/** Distinct values per row from which values name rows instead of describing them. */
const mostDistinct = 0.5
/** Distinct values of which most are fractions that are too many for a category, however many rows there are. */
const manyFractions = 100

/** The table of a feature; SQL calls it `t`. */
interface FeatureTable {
  /** Its rows in sentences: impressions or items. */
  rows: string
  path: string
  /** With the columns that say where a row comes from. */
  placed: string
  /** Rows that are examined: those before `to` for which `has` is 1; default: all before `to`. */
  to: number
  has?: Uint8Array
}

/**
 * Notes how many numbers are missing. Warns of features that are constant among the first `trained` impressions or the
 * items, have about as many values as rows, or are fractions used as categories. Data to be scored are not warned of.
 * @throws UserError `number-value` for a number that is infinite or too large for float32, with file and row.
 */
export async function checkFeatures(
  db: Database,
  { tables }: ClickPlan,
  { impressions, items, numbers }: Clicks,
  trained: number,
  { facts, stops }: JoinPolicy,
): Promise<void> {
  const check = async (features: readonly FeatureColumn[], table: FeatureTable) => {
    for (const feature of features) {
      if (feature.numbersOfRows) await checkFinite(db, feature, feature.numbersOfRows, table)
      if (!stops) continue
      if (feature.numbersOfRows) checkNumbers(feature, feature.numbersOfRows, table, facts)
      else if (feature.codes) await checkCodes(db, feature, feature.codes, table, facts)
    }
  }
  const { path, source } = tables.impressions
  await check(impressions.context, { rows: 'impressions', path, placed: `${source} t`, to: trained })
  if (!tables.items || items.length === 0) return
  // Items that only other tables have lack features.
  const query = `SELECT ${isOf(numbers.items, 'items')} AS has FROM ${numbers.items.name} ORDER BY ${numbers.items.number}`
  const { has } = await db.columns(query, { has: 'uint8' })
  const catalogue = { rows: 'items', path: tables.items.path, placed: `${tables.items.placed} t` }
  await check(items, { ...catalogue, to: has.length, has })
}

async function checkFinite(
  db: Database,
  { spec, sql: [number] }: FeatureColumn,
  column: Column<'float32'>,
  table: FeatureTable,
): Promise<void> {
  let infinite = 0
  for (const values of column.values()) for (const x of values) if (x === Infinity || x === -Infinity) infinite++
  if (infinite === 0) return
  const { where, value } = await locate(db, table, spec.column as string, `isinf(${number})`)
  throw new UserError({
    id: 'number-value',
    where,
    what: String(value),
    expected: 'a finite number of float32, at most 3.4e38; null or NaN if it is missing',
    remedy: 'correct the value, or write null',
  })
}

function checkNumbers(feature: FeatureColumn, column: Column<'float32'>, table: FeatureTable, facts: DataFacts): void {
  let [rows, missing, least, most] = [0, 0, Infinity, -Infinity]
  eachOf(column, table, (x) => {
    rows++
    if (Number.isNaN(x)) missing++
    else {
      if (x < least) least = x
      if (x > most) most = x
    }
  })
  if (missing > 0 && missing < rows) {
    const share = ((100 * missing) / rows).toFixed(1)
    facts.notes.push(
      `feature ${feature.name}: ${share} % of ${table.rows} have no number (null or NaN); they get an embedding of their own`,
    )
  }
  if (rows > 0 && missing === rows) warnOfConstant(feature, table, 'no value', facts)
  else if (least === most && missing === 0) warnOfConstant(feature, table, `the value ${least} everywhere`, facts)
}

async function checkCodes(
  db: Database,
  feature: FeatureColumn,
  column: Column<'int32'>,
  table: FeatureTable,
  facts: DataFacts,
): Promise<void> {
  // Lists may be short, and rows of hashed texts are no values.
  if (feature.values > 1 || feature.reads !== 'vocabulary') return
  const seen: number[] = []
  const isSeen: boolean[] = []
  let [rows, missing] = [0, 0]
  eachOf(column, table, (code) => {
    rows++
    if (code < 0) missing++
    else if (!isSeen[code]) {
      isSeen[code] = true
      seen.push(code)
    }
  })
  if (rows === 0) return
  if (seen.length === 0) warnOfConstant(feature, table, 'no value', facts)
  else if (seen.length === 1 && missing === 0) warnOfConstant(feature, table, 'one value', facts)
  const isUnique = seen.length >= mostDistinct * (rows - missing)
  if (seen.length < manyValues || !(isUnique || seen.length >= manyFractions)) return
  const where = whereOf(feature, table)
  const count = `${seen.length.toLocaleString('en-US')} distinct values in ${rows.toLocaleString('en-US')} ${table.rows}`
  if (await areFractions(db, feature, seen)) {
    const what = `feature ${feature.name} is a category of fractions: ${count}, each learned on its own`
    facts.warn({ id: 'feature-continuous', where, what, remedy: 'use kind: number, or kind: bucket' })
  } else if (isUnique) {
    const what = `feature ${feature.name} has ${count}: too few rows of each to learn from`
    const remedy = 'remove it, or derive a coarser category; use kind: number for a quantity'
    facts.warn({ id: 'feature-unique', where, what, remedy })
  }
}

/** Whether most of the values with the codes `seen` are numbers with a fraction. */
async function areFractions(db: Database, { table }: FeatureColumn, seen: readonly number[]): Promise<boolean> {
  const fraction = 'coalesce(abs(try_cast(value AS DOUBLE)) % 1 > 0, false)'
  const query = `SELECT ${fraction} AS fraction FROM ${numbersOf(table)} ORDER BY number`
  const { fraction: isFraction } = await db.columns(query, { fraction: 'uint8' })
  const fractions = seen.reduce((sum, code) => sum + isFraction[code], 0)
  return fractions > seen.length / 2
}

function warnOfConstant(feature: FeatureColumn, table: FeatureTable, content: string, facts: DataFacts): void {
  const part = table.rows === 'impressions' ? ' of the training part' : ''
  const what = `feature ${feature.name} has ${content} in the ${table.rows}${part}: nothing to learn from`
  facts.warn({
    id: 'feature-constant',
    where: whereOf(feature, table),
    what,
    remedy: 'remove the feature, or mend the column',
  })
}

const whereOf = ({ spec: { column } }: FeatureColumn, { path }: FeatureTable) =>
  `${path}: column '${[column].flat().join("', '")}'`

/** Calls `use` with the value of each row that is examined. */
function eachOf(column: Column<'float32' | 'int32'>, { to, has }: FeatureTable, use: (value: number) => void): void {
  let row = 0
  for (const values of column.values(0, to)) for (const x of values) if (!has || has[row++]) use(x)
}
