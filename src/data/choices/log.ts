/** The behavior log for C-SFT: who took what and when, in which part of time, session and request. DuckDB does it. */
import { itemNumbers } from '../items/items.js'
import {
  idsOf,
  microseconds,
  numberedIds,
  openTable,
  requireSameIds,
  type Table,
  type TimeUnit,
} from '../tables/contract.js'
import { type Database, identifier } from '../tables/duckdb.js'
import { type ItemLists, readLists } from './itemLists.js'

export interface BehaviorColumns {
  user: string
  item: string
  action: string
  time: string
  request: string
  queryText: string
  queryImage: string
}

export interface LogOptions {
  path: string
  columns: BehaviorColumns
  timeUnit: TimeUnit
  /** A pause longer than this ends a session. */
  sessionMinutes: number
  /** Shares of the behaviors by time, as in the configuration. */
  split: { train: number; valid: number }
}

export interface BehaviorLog {
  table: Table
  options: LogOptions
  /** SELECT of all behaviors of known items: usr, item, action, ts (µs), place (order in the log), request, query_text, query_image. */
  events: string
  /** SQL for the part of time, as in `parts`, of a column of times. */
  part: (ts: string) => string
  /** Microseconds since 1970 of the first behavior. */
  start: bigint
}

/** Actions by which a user takes an item. */
const taken = "('click', 'favorite', 'cart', 'purchase')"

/** Actions that choose an item: what pairs are made of. */
export const chosen = "('click', 'purchase')"

/**
 * Opens the log and leaves two tables in `db`: `takes` (events by which an item was taken, each with its part of time
 * and session number) and `request_numbers` of the requests in which something was chosen. Events shown and not taken
 * stay in the file, for they are many.
 * @throws UserError of `openTable` and `requireSameIds`.
 */
export async function openLog(db: Database, options: LogOptions): Promise<BehaviorLog> {
  const { columns, path, split } = options
  const table = await openTable(db, path, {
    [columns.user]: { type: 'id' },
    [columns.item]: { type: 'id' },
    [columns.action]: { type: 'text' },
    [columns.time]: { type: 'time' },
    [columns.request]: { type: 'id', optional: true, nullable: true },
    [columns.queryText]: { type: 'text', optional: true },
    [columns.queryImage]: { type: 'text', optional: true },
  })
  requireSameIds('item', [await numberedIds(db, itemNumbers), idsOf(table, columns.item)])
  const events = eventsOf(table, options)
  const { start, a, b } = await db.row<{ start: bigint; a: bigint; b: bigint }>(
    `SELECT coalesce(min(ts), 0) AS start, coalesce(quantile_disc(ts, ${split.train}), 0) AS a,
       coalesce(quantile_disc(ts, ${split.train + split.valid}), 0) AS b FROM (${events})`,
  )
  // The boundary moments belong to the later part: training sees only what is strictly before.
  const part = (ts: string) => `CAST(CASE WHEN ${ts} < ${a} THEN 0 WHEN ${ts} < ${b} THEN 1 ELSE 2 END AS UTINYINT)`
  const pause = Math.round(options.sessionMinutes * 60e6)
  await db.run(`CREATE OR REPLACE TEMP TABLE takes AS
    SELECT * EXCLUDE (begins), CAST(sum(begins) OVER (ORDER BY usr, ts, place) - 1 AS INTEGER) AS session
    FROM (
      SELECT *, ${part('ts')} AS part,
        CASE WHEN ts - lag(ts) OVER (PARTITION BY usr ORDER BY ts, place) <= ${pause} THEN 0 ELSE 1 END AS begins
      FROM (${events}) WHERE action IN ${taken})`)
  await db.run(`CREATE OR REPLACE TEMP TABLE request_numbers AS
    SELECT request, CAST(row_number() OVER (ORDER BY request) - 1 AS INTEGER) AS number
    FROM (SELECT DISTINCT request FROM takes WHERE request IS NOT NULL AND action IN ${chosen})`)
  return { table, options, events, part, start }
}

/** More rows than a file has: places in the log are file by file. */
const fileRows = 2 ** 40

function eventsOf(table: Table, { columns, timeUnit }: LogOptions): string {
  const optional = (name: string) =>
    table.columns.has(name) ? `CAST(${identifier(name)} AS VARCHAR)` : 'CAST(NULL AS VARCHAR)'
  return `SELECT ${identifier(columns.user)} AS usr, n.item, ${identifier(columns.action)} AS action,
      ${microseconds(table, columns.time, timeUnit)} AS ts, 
      CAST(file_index AS BIGINT) * ${fileRows} + file_row_number AS place,
      ${optional(columns.request)} AS request, nullif(trim(${optional(columns.queryText)}), '') AS query_text,
      ${optional(columns.queryImage)} AS query_image
    FROM ${table.source} t JOIN ${itemNumbers} n ON t.${identifier(columns.item)} = n.item_id`
}

/** Of every request with a choice: the items that were shown in it and not taken, as far as the training part knows. */
export async function readRejected(db: Database, { events, part }: BehaviorLog): Promise<ItemLists> {
  const query = `SELECT r.number AS list, e.item FROM (${events}) e JOIN request_numbers r USING (request)
    WHERE ${part('ts')} = 0 GROUP BY ALL HAVING bool_and(e.action NOT IN ${taken}) ORDER BY ALL`
  return readLists(db, query, await db.count('request_numbers'))
}

/** The items chosen in each session, as far as the training part knows. */
export async function readSessions(db: Database): Promise<ItemLists> {
  const query = `SELECT DISTINCT session AS list, item FROM takes WHERE part = 0 AND action IN ${chosen} ORDER BY ALL`
  const { n } = await db.row<{ n: number }>('SELECT coalesce(max(session) + 1, 0) AS n FROM takes')
  return readLists(db, query, n)
}
