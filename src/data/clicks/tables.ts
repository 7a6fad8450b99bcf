/** The tables that a click model learns from, opened and checked. */
import { UserError } from '../../base/errors.js'
import { type ColumnRule, openTable, type Table } from '../tables/contract.js'
import { type Database, identifier } from '../tables/duckdb.js'

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

export interface ClickSources {
  impressions: ImpressionPaths
  /** Not read if the history is a column of the impressions. */
  behaviors: string
  /** undefined: no features of items. */
  items?: string
  columns: ClickColumns
  /** Whether labels may be missing, as in impressions to be scored; they are 0 then. */
  unlabeled?: boolean
}

export interface ClickTables {
  /** Has the columns `partColumn`, `fileColumn` and `fileRowColumn` too. */
  impressions: Table
  /** Whether impressions are one table for each part, which decides the split. */
  isSplit: boolean
  behaviors?: Table
  items?: Table
}

/** SQL names of columns that say where an impression comes from: 0, 1 or 2 for train, valid and test; file; row of it. */
export const partColumn = identifier('mim: part')
export const fileColumn = identifier('mim: file')
export const fileRowColumn = identifier('mim: row of the file')

/**
 * @throws UserError those of `openTable`; `history-source` if there is neither a column of histories nor users and
 * times to build them from.
 */
export async function openClicks(db: Database, sources: ClickSources): Promise<ClickTables> {
  const { columns, impressions: paths, behaviors, items } = sources
  if (columns.history === null && (columns.user === null || columns.time === null)) {
    const missing = columns.user === null ? 'user' : 'time'
    const what = `no histories: data.columns.history and data.columns.${missing} are both null`
    const expected = 'a column that lists histories, or users and times to build them from'
    throw new UserError({ id: 'history-source', what, expected })
  }
  return {
    impressions: await openImpressions(db, sources),
    isSplit: typeof paths !== 'string',
    behaviors: columns.history === null ? await openTable(db, behaviors, behaviorRules(columns)) : undefined,
    items:
      items === undefined ? undefined : await openTable(db, items, { [columns.item]: { type: 'id', unique: true } }),
  }
}

/** The tables of all parts as one. */
async function openImpressions(db: Database, { impressions, columns, unlabeled }: ClickSources): Promise<Table> {
  const rules: Record<string, ColumnRule> = {
    ...(columns.user === null ? {} : { [columns.user]: { type: 'id' } }),
    [columns.item]: { type: 'id' },
    [columns.label]: { type: 'label', optional: unlabeled },
    ...(columns.weight ? { [columns.weight]: { type: 'weight', optional: unlabeled } } : {}),
    ...(columns.time === null ? {} : { [columns.time]: { type: 'time' } }),
    ...(columns.history === null ? {} : { [columns.history]: { type: 'ids' } }),
  }
  const paths =
    typeof impressions === 'string' ? [impressions] : [impressions.train, impressions.valid, impressions.test]
  const tables: Table[] = []
  for (const path of paths) tables.push(await openTable(db, path, rules))
  const sources = tables.map(
    ({ source }, part) =>
      `SELECT *, ${part} AS ${partColumn}, filename AS ${fileColumn}, file_row_number AS ${fileRowColumn} FROM ${source}`,
  )
  return {
    path: tables[0].path,
    source: `(${sources.join(' UNION ALL BY NAME ')})`,
    columns: new Map(tables.flatMap((table) => [...table.columns])),
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
  }
}

const behaviorRules = ({ user, item, action, time }: ClickColumns): Record<string, ColumnRule> => ({
  [user!]: { type: 'id' },
  [item]: { type: 'id' },
  [action]: { type: 'text' },
  [time!]: { type: 'time' },
})
