/** What is in an open table: the block of facts before training shows it. */
import type { DataFacts, TableFacts } from '../facts.js'
import { labelOf, type Table } from './contract.js'
import { type Database, identifier } from './duckdb.js'
import { warnPartial } from './parts.js'

export interface FactColumns {
  /** The path that is shown, if it is not the one of the table. */
  path?: string
  user?: string | null
  item?: string | null
  label?: string | null
  action?: string | null
  /** Span of the times as ISO 8601, and how they are stored. */
  time?: { from?: string; to?: string; stored?: string }
  /** All columns that are read; those that the table does not have are left out. */
  used: readonly string[]
}

/** From this number of rows on, ids are counted approximately: an exact count needs memory for each of them. */
const manyRows = 20_000_000

/** Actions that are listed, the most frequent first. */
const mostActions = 12

/**
 * Adds the facts of a table to `facts`, and a warning of columns in use that some of its files lack; returns the facts.
 * Scans the columns of ids, labels and actions once each.
 */
export async function addTableFacts(
  db: Database,
  role: string,
  table: Table,
  columns: FactColumns,
  facts: DataFacts,
): Promise<TableFacts> {
  const found = await factsOf(db, role, table, columns)
  facts.tables.push(found)
  warnPartial(table, columns.used, facts)
  return found
}

async function factsOf(
  db: Database,
  role: string,
  table: Table,
  { path = table.path, user, item, label, action, time, used }: FactColumns,
): Promise<TableFacts> {
  const { rows, columns } = table
  const isThere = (name: string | null | undefined): name is string => name != null && columns.has(name)
  const isApproximate = rows >= manyRows
  const distinct = (name: string) =>
    isApproximate ? `approx_count_distinct(${identifier(name)})` : `count(DISTINCT ${identifier(name)})`
  const aggregates = {
    ...(isThere(user) ? { users: distinct(user) } : {}),
    ...(isThere(item) ? { items: distinct(item) } : {}),
    ...(isThere(label)
      ? { click_rate: `avg(CAST(${labelOf(identifier(label), columns.get(label)!)} AS DOUBLE))` }
      : {}),
  }
  const selected = Object.entries(aggregates).map(([name, sql]) => `CAST(${sql} AS DOUBLE) AS ${name}`)
  const found =
    selected.length === 0 ? {} : await db.row<Partial<TableFacts>>(`SELECT ${selected.join(', ')} FROM ${table.source}`)
  const read = new Set(used.map((name) => name.toLowerCase()))
  const isUsed = (name: string) => read.has(name.toLowerCase())
  return {
    table: role,
    path,
    rows,
    ...found,
    ...(isApproximate && selected.length > 0 ? { approximate: true } : {}),
    ...(time?.from === undefined ? {} : { from: time.from, to: time.to, times: time.stored }),
    ...(isThere(action) ? { actions: await actionsOf(db, table, action) } : {}),
    used: table.names.filter((name) => columns.has(name) && isUsed(name)),
    unused: table.names.filter((name) => !columns.has(name) || !isUsed(name)),
  }
}

/** Rows by action; rare actions of a long list are summed up. */
async function actionsOf(db: Database, { source }: Table, column: string): Promise<Record<string, number>> {
  const query = `SELECT coalesce(CAST(${identifier(column)} AS VARCHAR), 'null') AS action, count(*) AS rows
    FROM ${source} GROUP BY 1 ORDER BY 2 DESC, 1`
  const all = await db.rows<{ action: string; rows: bigint }>(query)
  const entries = all.map(({ action, rows }): [string, number] => [action, Number(rows)])
  const rest = entries.splice(mostActions)
  const others = rest.reduce((sum, [, rows]) => sum + rows, 0)
  return Object.fromEntries(rest.length > 0 ? [...entries, [`${rest.length} others`, others]] : entries)
}
