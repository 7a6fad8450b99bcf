/**
 * What `mim ctr` learns from: impressions in the order of time, each with the stretch of its user's
 * behaviours that lies strictly before it. Histories are never written out: impression i sees
 * `events[historyStart[i] … historyEnd[i])`, events being sorted by user and time.
 */
import { UserError } from '../errors.js'
import { type Database, identifier, literal } from './duckdb.js'
import { type IdSource, idsOf, microseconds, openTable, requireSameIds, type Table, type TimeUnit } from './table.js'

export interface ImpressionOptions {
  impressions: string
  /** Behaviours table; not read where the history is a column. */
  behaviors: string
  columns: { user: string; item: string; label: string; time: string; action: string; history: string | null }
  timeUnit: TimeUnit
  actions: readonly string[]
  /** Longest history. */
  length: number
  /** Further columns of the impressions, read as text. */
  context: readonly string[]
}

export interface Impressions {
  rows: number
  /** Dense numbers of users and items, from 0. */
  user: Int32Array
  item: Int32Array
  label: Uint8Array
  /** Item numbers of behaviours. */
  events: Int32Array
  historyStart: Int32Array
  historyEnd: Int32Array
  users: number
  items: number
  context: Record<string, (string | null)[]>
}

/** DuckDB tables that `loadImpressions` leaves: ids with their dense numbers. */
export const userNumbers = 'user_numbers'
export const itemNumbers = 'all_item_numbers'

/**
 * Loads impressions and histories; numbers every item that they name, and those of `catalogue` (an
 * item-id column in SQL) beside.
 * @throws UserError of `openTable`; `id-types` where tables disagree on the type of ids.
 */
export async function loadImpressions(
  db: Database,
  options: ImpressionOptions,
  catalogue: (IdSource & { ids: string })[],
): Promise<Impressions> {
  const { columns, timeUnit, length } = options
  const table = await openTable(db, options.impressions, {
    [columns.user]: { type: 'id' },
    [columns.item]: { type: 'id' },
    [columns.label]: { type: 'label' },
    [columns.time]: { type: 'time' },
    ...(columns.history ? { [columns.history]: { type: 'ids' } } : {}),
  })
  for (const name of options.context) requireColumn(table, name)
  const history = columns.history ? undefined : await openHistory(db, options)
  const item = identifier(columns.item)
  const sources = [
    { ...idsOf(table, columns.item), ids: `SELECT ${item} AS item_id FROM ${table.source}` },
    ...(history ? [{ ...idsOf(history, columns.item), ids: `SELECT ${item} AS item_id FROM ${history.source}` }] : []),
    ...(columns.history ? [listed(table, columns.history)] : []),
    ...catalogue,
  ]
  requireSameIds('item', sources)
  if (history) requireSameIds('user', [idsOf(table, columns.user), idsOf(history, columns.user)])
  await number(db, itemNumbers, 'item_id', 'item', sources.map(({ ids }) => ids).join(' UNION '))
  await number(db, userNumbers, 'user_id', 'usr', `SELECT ${identifier(columns.user)} AS user_id FROM ${table.source}`)

  const context = options.context.map((name, i) => `, CAST(${identifier(name)} AS VARCHAR) AS context_${i}`).join('')
  const list = columns.history ? `, ${identifier(columns.history)} AS history` : ''
  await db.run(`CREATE OR REPLACE TEMP TABLE impression_rows AS
    SELECT CAST(row_number() OVER (ORDER BY ts, usr, item) - 1 AS INTEGER) AS row, * FROM (
      SELECT u.usr, n.item, CAST(${identifier(columns.label)} AS UTINYINT) AS label,
        ${microseconds(table, columns.time, timeUnit)} AS ts ${context} ${list}
      FROM ${table.source} t
      JOIN ${userNumbers} u ON t.${identifier(columns.user)} = u.user_id
      JOIN ${itemNumbers} n ON t.${item} = n.item_id)`)
  const read = await db.columns('SELECT usr, item, label FROM impression_rows ORDER BY row', {
    usr: 'int32',
    item: 'int32',
    label: 'uint8',
  })
  const histories = history ? await builtHistories(db, history, options) : await listedHistories(db, length)
  const names: [string, (string | null)[]][] = []
  for (const [i, name] of options.context.entries()) {
    const { value } = await db.columns(`SELECT context_${i} AS value FROM impression_rows ORDER BY row`, {
      value: 'string',
    })
    names.push([name, value])
  }
  await db.run('DROP TABLE impression_rows')
  return {
    rows: read.rows,
    user: read.usr,
    item: read.item,
    label: read.label,
    ...histories,
    users: await db.count(userNumbers),
    items: await db.count(itemNumbers),
    context: Object.fromEntries(names),
  }
}

async function openHistory(db: Database, { behaviors, columns }: ImpressionOptions): Promise<Table> {
  return openTable(db, behaviors, {
    [columns.user]: { type: 'id' },
    [columns.item]: { type: 'id' },
    [columns.action]: { type: 'text' },
    [columns.time]: { type: 'time' },
  })
}

function listed(table: Table, column: string) {
  return { ...idsOf(table, column), ids: `SELECT unnest(${identifier(column)}) AS item_id FROM ${table.source}` }
}

function requireColumn(table: Table, name: string): void {
  if (table.columns.has(name)) return
  const expected = `one of ${[...table.columns.keys()].join(', ')}`
  throw new UserError({ id: 'column-missing', where: table.path, what: `column '${name}' is missing`, expected })
}

/** Gives the distinct non-null ids of a query dense numbers from 0, in their own order. */
async function number(db: Database, name: string, id: string, dense: string, query: string): Promise<void> {
  await db.run(`CREATE OR REPLACE TEMP TABLE ${name} AS
    SELECT ${id}, CAST(row_number() OVER (ORDER BY ${id}) - 1 AS INTEGER) AS ${dense}
    FROM (SELECT DISTINCT ${id} FROM (${query}) WHERE ${id} IS NOT NULL)`)
}

type Histories = Pick<Impressions, 'events' | 'historyStart' | 'historyEnd'>

/** Behaviours sorted by user and time; the history of an impression ends before the first that is not older than it. */
async function builtHistories(db: Database, table: Table, options: ImpressionOptions): Promise<Histories> {
  const { columns, timeUnit, actions, length } = options
  const { path, source } = table
  const wanted = actions.map(literal).join(', ')
  await db.run(`CREATE OR REPLACE TEMP TABLE history_events AS
    SELECT CAST(row_number() OVER (ORDER BY usr, ts, item) - 1 AS INTEGER) AS pos, usr, item, ts FROM (
      SELECT u.usr, n.item, ${microseconds(table, columns.time, timeUnit)} AS ts
      FROM ${source} t
      JOIN ${userNumbers} u ON t.${identifier(columns.user)} = u.user_id
      JOIN ${itemNumbers} n ON t.${identifier(columns.item)} = n.item_id
      WHERE ${identifier(columns.action)} IN (${wanted}))`)
  const { item } = await db.columns('SELECT item FROM history_events ORDER BY pos', { item: 'int32' })
  if (item.length === 0) {
    const found = await db.rows<{ action: string }>(
      `SELECT DISTINCT ${identifier(columns.action)} AS action FROM ${source} LIMIT 20`,
    )
    throw new UserError({
      id: 'history-empty',
      where: path,
      what: `no behaviour of the users in the impressions has an action of ${wanted}`,
      expected: `history.actions among ${found.map((row) => row.action).join(', ')}`,
    })
  }
  // An event of the same microsecond is not before: the join takes the latest moment strictly earlier,
  // and of that moment the last event.
  const ranges = await db.columns(
    `WITH moments AS (SELECT usr, ts, max(pos) + 1 AS finish FROM history_events GROUP BY usr, ts),
          firsts AS (SELECT usr, min(pos) AS start FROM history_events GROUP BY usr)
     SELECT coalesce(greatest(f.start, m.finish - ${length}), 0) AS start, coalesce(m.finish, 0) AS finish
     FROM impression_rows r ASOF LEFT JOIN moments m ON r.usr = m.usr AND r.ts > m.ts
     LEFT JOIN firsts f ON m.usr = f.usr
     ORDER BY r.row`,
    { start: 'int32', finish: 'int32' },
  )
  await db.run('DROP TABLE history_events')
  return { events: item, historyStart: ranges.start, historyEnd: ranges.finish }
}

/** Histories that the impressions bring along, the last `length` of each list. */
async function listedHistories(db: Database, length: number): Promise<Histories> {
  const { events } = await db.columns(
    `WITH entries AS (
       SELECT row, unnest(history[-${length}:]) AS item_id,
         generate_subscripts(history[-${length}:], 1) AS place
       FROM impression_rows)
     SELECT n.item AS events FROM entries JOIN ${itemNumbers} n USING (item_id) ORDER BY row, place`,
    { events: 'int32' },
  )
  const { size } = await db.columns(
    `SELECT coalesce(len(list_filter(history[-${length}:], lambda x: x IS NOT NULL)), 0) AS size
     FROM impression_rows ORDER BY row`,
    { size: 'int32' },
  )
  const historyStart = new Int32Array(size.length)
  const historyEnd = new Int32Array(size.length)
  let at = 0
  size.forEach((n, row) => {
    historyStart[row] = at
    at += n
    historyEnd[row] = at
  })
  return { events, historyStart, historyEnd }
}
