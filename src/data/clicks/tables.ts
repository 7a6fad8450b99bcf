/** The tables that a click model learns from, opened and checked. */
import { UserError } from '../../base/errors.js'
import type { DataFacts } from '../facts.js'
import { type ColumnRule, openTable, requireRows, type Table } from '../tables/contract.js'
import { type Database, identifier } from '../tables/duckdb.js'
import { ColumnTypes } from '../tables/source.js'
import { type ClickTimeOptions, type ClickTimes, openClickTimes, timeColumn } from './times.js'

/** One table, or one for each part of the data. */
export type ImpressionPaths = string | { train: string; valid: string; test: string }

/** Names of columns; null: the table has none. */
export interface ClickColumns {
  user: string | null
  item: string
  label: string
  weight?: string | null
  time: string | null
  action: string
  history: string | null
}

export interface ClickSources extends ClickTimeOptions {
  impressions: ImpressionPaths
  /** Not read if the history is a column of the impressions. */
  behaviors: string
  /** undefined: no features of items. */
  items?: string
  columns: ClickColumns
  /** Whether impressions are to be scored: labels and weights are not read. */
  unlabeled?: boolean
  /** Whether tables without rows are refused; default: no. */
  needsRows?: boolean
}

export interface ClickTables {
  /** Has the columns `partColumn`, `fileNumberColumn`, `fileRowColumn` and, if there are times, `timeColumn` too. */
  impressions: Table
  /** Paths of the impressions, one or one for each part. */
  paths: readonly string[]
  /** Whether impressions are one table for each part, which decides the split. */
  isSplit: boolean
  /** Whether impressions are to be scored: they keep the order of their files, and labels are 0. */
  unlabeled?: boolean
  /** Has the column `timeColumn` too. */
  behaviors?: Table
  items?: Table
  /** undefined if impressions have no times. */
  times?: ClickTimes
}

/** SQL name of the column with the part that an impression belongs to: 0, 1 or 2 for train, valid and test. */
export const partColumn = identifier('mim: part')

/**
 * @param facts gets notes on columns and warnings about times
 * @throws UserError those of `openTable` and `openClickTimes`; `history-source` if there is neither a column of
 * histories nor users and times to build them from; `table-empty`.
 */
export async function openClicks(db: Database, sources: ClickSources, facts: DataFacts): Promise<ClickTables> {
  const { columns, impressions: paths, behaviors, items } = sources
  if (columns.history === null && (columns.user === null || columns.time === null)) {
    const missing = columns.user === null ? 'user' : 'time'
    const what = `no histories: data.columns.history and data.columns.${missing} are both null`
    const expected = 'a column that lists histories, or users and times to build them from'
    throw new UserError({ id: 'history-source', what, expected })
  }
  const parts = await openImpressions(db, sources, facts)
  const log = columns.history === null ? await openTable(db, behaviors, behaviorRules(columns), facts) : undefined
  const rules: Record<string, ColumnRule> = { [columns.item]: { type: 'id', unique: true } }
  const catalogue = items === undefined ? undefined : await openTable(db, items, rules, facts)
  if (sources.needsRows) {
    if (log) requireRows(log, 'behaviors')
    if (catalogue) requireRows(catalogue, 'items')
  }
  const times = columns.time === null ? undefined : await openClickTimes(db, parts, log, columns.time, sources, facts)
  return {
    impressions: asOne(parts, times),
    paths: typeof paths === 'string' ? [paths] : [paths.train, paths.valid, paths.test],
    isSplit: typeof paths !== 'string',
    unlabeled: sources.unlabeled,
    behaviors: log && { ...log, source: `(SELECT *, ${times!.behaviors!.sql} AS ${timeColumn} FROM ${log.source})` },
    items: catalogue,
    times,
  }
}

/** The table of impressions, or those of all parts. */
async function openImpressions(
  db: Database,
  { impressions, columns, unlabeled, needsRows }: ClickSources,
  facts: DataFacts,
): Promise<Table[]> {
  const rules: Record<string, ColumnRule> = {
    ...(columns.user === null ? {} : { [columns.user]: { type: 'id' } }),
    [columns.item]: { type: 'id' },
    ...(unlabeled ? {} : { [columns.label]: { type: 'label' } }),
    ...(columns.weight && !unlabeled ? { [columns.weight]: { type: 'weight' } } : {}),
    ...(columns.time === null ? {} : { [columns.time]: { type: 'time' } }),
    ...(columns.history === null ? {} : { [columns.history]: { type: 'ids', like: columns.item } }),
  }
  const paths =
    typeof impressions === 'string' ? [impressions] : [impressions.train, impressions.valid, impressions.test]
  const tables: Table[] = []
  for (const path of paths) tables.push(await openTable(db, path, rules, facts))
  if (needsRows) for (const table of tables) requireRows(table, 'impressions')
  return tables
}

/** The tables of all parts as one. */
function asOne(tables: readonly Table[], times: ClickTimes | undefined): Table {
  const sources = tables.map(({ placed }, part) => {
    const time = times ? `, ${times.impressions[part].sql} AS ${timeColumn}` : ''
    return `SELECT *, ${part} AS ${partColumn}${time} FROM ${placed}`
  })
  const columns = new ColumnTypes()
  for (const table of tables) for (const [name, type] of table.columns) columns.set(name, type)
  return {
    ...tables[0],
    source: `(${sources.join(' UNION ALL BY NAME ')})`,
    columns,
    repeated: new Set(tables.flatMap((table) => [...table.repeated])),
    partial: tables.flatMap(({ partial }) => partial),
    names: [...new Set(tables.flatMap((table) => table.names))],
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
  }
}

const behaviorRules = ({ user, item, action, time }: ClickColumns): Record<string, ColumnRule> => ({
  [user!]: { type: 'id' },
  [item]: { type: 'id' },
  [action]: { type: 'text' },
  [time!]: { type: 'time' },
})
