/** The behavior log for C-SFT. DuckDB gives each behavior its part of time, its session and its request. */
import type { DataFacts } from '../facts.js'
import type { Items } from '../items/items.js'
import { visible } from '../items/titles.js'
import { pathSql } from '../pictures/column.js'
import {
  type ColumnRule,
  idsOf,
  numberedIds,
  openTable,
  requireRows,
  requireSameIds,
  type Table,
} from '../tables/contract.js'
import { type Database, identifier, literal } from '../tables/duckdb.js'
import { fileNumberColumn, fileRowColumn } from '../tables/source.js'
import { openTime, type TimeColumn } from '../times/column.js'
import type { TimeUnit } from '../times/units.js'
import { usualBehaviorColumns } from '../usualColumns.js'
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
  /** Unit of times that are numbers; auto: inferred. */
  timeUnit: TimeUnit | 'auto'
  /** IANA time zone of times without a zone; null: UTC. */
  timeZone: string | null
  /** A pause longer than this ends a session. */
  sessionMinutes: number
  /** Shares of the behaviors by time, as in the configuration. */
  split: { train: number; valid: number }
}

/** Parts of the log by time. */
export const parts = { train: 0, valid: 1, test: 2 } as const
export type Part = keyof typeof parts

/** Columns of the log that hold queries. */
export type QueryColumn = 'query_image' | 'query_text'

/** Actions by which a user takes an item. */
export const takingActions = ['click', 'favorite', 'cart', 'purchase']
const taking = `(${takingActions.map(literal).join(', ')})`

/** Actions that choose an item; positive pairs are made of these. */
const choosing = "('click', 'purchase')"

/** More rows than a file has: `place` orders the log file by file. */
const fileRows = 2 ** 40

let logs = 0

/**
 * An open log. It owns temporary tables in `db` under names of its own, so that several logs can be open in a database;
 * ask the object for their names.
 */
export class BehaviorLog {
  private constructor(
    readonly db: Database,
    readonly table: Table,
    readonly options: LogOptions,
    readonly time: TimeColumn,
    /**
     * SELECT of all behaviors of known items: usr, item, action, ts (µs), place (order in the log), request, query_text,
     * query_image. Most are impressions without a click; they stay in the file.
     */
    readonly behaviors: string,
    /** Time of the first behavior, µs since 1970. */
    readonly start: bigint,
    /** SQL expression: the part of time (a value of `parts`) of a column of times. */
    readonly partOf: (ts: string) => string,
    private readonly prefix: string,
  ) {}

  /**
   * Opens the log of `items`.
   * @param facts gets notes on columns and warnings about times
   * @throws UserError of `openTable`, `requireSameIds` and `openTime`; `table-empty`.
   */
  static async open(db: Database, items: Items, options: LogOptions, facts: DataFacts): Promise<BehaviorLog> {
    const { columns, path, split } = options
    const table = await openTable(
      db,
      path,
      {
        [columns.user]: { type: 'id' },
        [columns.item]: { type: 'id' },
        [columns.action]: { type: 'text' },
        [columns.time]: { type: 'time' },
        ...optionalRules(columns),
      },
      facts,
    )
    requireRows(table, 'behaviors')
    requireSameIds('item', [await numberedIds(db, items.numbers), idsOf(table, columns.item)])
    const { timeUnit: unit, timeZone: zone } = options
    const time = await openTime(db, table, columns.time, { unit, zone }, facts)
    const behaviors = behaviorsOf(table, items, columns, time)
    const { start, a, b } = await db.row<{ start: bigint; a: bigint; b: bigint }>(
      `SELECT coalesce(min(ts), 0) AS start, coalesce(quantile_disc(ts, ${split.train}), 0) AS a,
         coalesce(quantile_disc(ts, ${split.train + split.valid}), 0) AS b FROM (${behaviors})`,
    )
    // The boundary moments belong to the later part: training sees only what is strictly before.
    const partOf = (ts: string) => `CAST(CASE WHEN ${ts} < ${a} THEN 0 WHEN ${ts} < ${b} THEN 1 ELSE 2 END AS UTINYINT)`
    const log = new BehaviorLog(db, table, options, time, behaviors, start, partOf, `behavior_log_${++logs}`)
    await log.makeTables()
    return log
  }

  /** Table of the behaviors by which an item was taken: the columns of `behaviors`, part and session. */
  get takes(): string {
    return this.name('takes')
  }

  /** Table of the requests in which an item was chosen: request, number (from 0). */
  get requests(): string {
    return this.name('requests')
  }

  /** Table of the queries that `numberQueries` found: value, number (from 0). */
  queries(column: QueryColumn): string {
    return this.name(`${column}_numbers`)
  }

  /** Name for a temporary table of this log. */
  name(table: string): string {
    return `${this.prefix}_${table}`
  }

  /** SELECT of the choices, one for each user, item and time; columns of `takes`. */
  choices(where = 'true'): string {
    return `SELECT DISTINCT ON (usr, item, ts) * FROM ${this.takes} WHERE ${where} AND action IN ${choosing} ORDER BY place`
  }

  /** Numbers the distinct values of a query column of the table `pairs`; returns them by number. */
  async numberQueries(column: QueryColumn, pairs: string): Promise<string[]> {
    const { db } = this
    await db.run(`CREATE TEMP TABLE ${this.queries(column)} AS
      SELECT value, CAST(row_number() OVER (ORDER BY value) - 1 AS INTEGER) AS number
      FROM (SELECT DISTINCT ${column} AS value FROM ${pairs} WHERE ${column} IS NOT NULL)`)
    const sorted = `SELECT value FROM ${this.queries(column)} ORDER BY number`
    const { value } = await db.columns(sorted, { value: 'string' })
    return value as string[]
  }

  /** For each request with a choice: the items shown in it and not taken within the training part. */
  async readRejected(): Promise<ItemLists> {
    const query = `SELECT r.number AS list, b.item FROM (${this.behaviors}) b JOIN ${this.requests} r USING (request)
      WHERE ${this.partOf('ts')} = 0 GROUP BY ALL HAVING bool_and(b.action NOT IN ${taking}) ORDER BY ALL`
    return readLists(this.db, query, await this.db.count(this.requests))
  }

  /** For each session: the items chosen in it within the training part. */
  async readSessions(): Promise<ItemLists> {
    const query = `SELECT DISTINCT session AS list, item FROM ${this.takes}
      WHERE part = 0 AND action IN ${choosing} ORDER BY ALL`
    const { n } = await this.db.row<{ n: number }>(`SELECT coalesce(max(session) + 1, 0) AS n FROM ${this.takes}`)
    return readLists(this.db, query, n)
  }

  /** Times that each of `items` items was chosen in the training part [items]. */
  async readPopularity(items: number): Promise<Float64Array> {
    const popularity = new Float64Array(items)
    const { item, n } = await this.db.columns(
      `SELECT item, count(*) AS n FROM ${this.takes} WHERE part = 0 AND action IN ${choosing} GROUP BY item`,
      { item: 'int32', n: 'int32' },
    )
    for (const [i, number] of item.entries()) popularity[number] = n[i]
    return popularity
  }

  /**
   * For each of `count` queries of a column: the items chosen with it in the training part, once for each request.
   * Only the lists of `wanted` are filled. Needs `numberQueries`.
   */
  async readChosenWith(column: QueryColumn, wanted: readonly number[], count: number): Promise<ItemLists> {
    if (wanted.length === 0) return { items: new Int32Array(), offsets: new Int32Array(count + 1) }
    const query = `SELECT DISTINCT number AS list, item, usr, request
      FROM ${this.takes} JOIN ${this.queries(column)} ON ${column} = value
      WHERE part = 0 AND action IN ${choosing} AND number IN (${wanted.join(', ')})`
    return readLists(this.db, `SELECT list, item FROM (${query}) ORDER BY ALL`, count)
  }

  private async makeTables(): Promise<void> {
    const { db, options } = this
    const pause = Math.round(options.sessionMinutes * 60e6)
    await db.run(`CREATE TEMP TABLE ${this.takes} AS
      SELECT * EXCLUDE (begins), CAST(sum(begins) OVER (ORDER BY usr, ts, place) - 1 AS INTEGER) AS session
      FROM (
        SELECT *, ${this.partOf('ts')} AS part,
          CASE WHEN ts - lag(ts) OVER (PARTITION BY usr ORDER BY ts, place) <= ${pause} THEN 0 ELSE 1 END AS begins
        FROM (${this.behaviors}) WHERE action IN ${taking})`)
    await db.run(`CREATE TEMP TABLE ${this.requests} AS
      SELECT request, CAST(row_number() OVER (ORDER BY request) - 1 AS INTEGER) AS number
      FROM (SELECT DISTINCT request FROM ${this.takes} WHERE request IS NOT NULL AND action IN ${choosing})`)
  }
}

function optionalRules({ request, queryText, queryImage }: BehaviorColumns): Record<string, ColumnRule> {
  const usual = usualBehaviorColumns
  return {
    [request]: { type: 'id', optional: request === usual.request, nullable: true },
    [queryText]: { type: 'text', optional: queryText === usual.queryText },
    [queryImage]: { type: 'text', optional: queryImage === usual.queryImage },
  }
}

function behaviorsOf(table: Table, items: Items, columns: BehaviorColumns, time: TimeColumn): string {
  const optional = (name: string) =>
    table.columns.has(name) ? `CAST(t.${identifier(name)} AS VARCHAR)` : 'CAST(NULL AS VARCHAR)'
  return `SELECT t.${identifier(columns.user)} AS usr, n.item, t.${identifier(columns.action)} AS action,
      ${time.sql} AS ts,
      CAST(${fileNumberColumn} AS BIGINT) * ${fileRows} + ${fileRowColumn} AS place,
      ${optional(columns.request)} AS request, ${visible(optional(columns.queryText))} AS query_text,
      ${pathSql(optional(columns.queryImage))} AS query_image
    FROM ${table.placed} t JOIN ${items.numbers} n ON t.${identifier(columns.item)} = n.item_id`
}
