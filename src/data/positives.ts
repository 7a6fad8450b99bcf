/** Pairs of what a user asked with and what the user then chose, for C-SFT; built by DuckDB. */
import { UserError } from '../errors.js'
import { type Database, identifier } from './duckdb.js'
import { itemNumbers } from './items.js'
import { idsOf, microseconds, numberedIds, openTable, requireSameIds, type Table, type TimeUnit } from './table.js'

export type PositiveSource = 'query-purchase' | 'query-click' | 'session'
export type AnchorKind = 'image' | 'text' | 'product'
export const anchorKinds: readonly AnchorKind[] = ['image', 'text', 'product']

export interface PositiveOptions {
  path: string
  columns: {
    user: string
    item: string
    action: string
    time: string
    request: string
    queryText: string
    queryImage: string
  }
  timeUnit: TimeUnit
  sources: readonly PositiveSource[]
  purchaseWeight: number
  clickWeight: number
  sessionMinutes: number
  /** Shares of the behaviours by time, as in the configuration. */
  split: { train: number; valid: number }
}

export interface Positives {
  count: number
  /** What the anchor is, as an index into `anchorKinds`. */
  kind: Uint8Array
  /** Index into `queryImages`, `queryTexts`, or an item's dense number, by kind. */
  anchor: Int32Array
  /** Dense number of the chosen item. */
  item: Int32Array
  weight: Float32Array
  /** 0 train, 1 valid, 2 test. */
  part: Uint8Array
  /** Request that the choice was made in, −1 if none; index into `rejected`. */
  request: Int32Array
  queryImages: string[]
  queryTexts: string[]
  /** Items shown in a request and not taken, of the training part: `rejected.items[offsets[r] … offsets[r + 1])`. */
  rejected: { items: Int32Array; offsets: Int32Array }
  /** Pairs by source, for the log. */
  bySource: Record<string, number>
}

/**
 * Reads the behaviours and builds the pairs. Pairs of the training part lie strictly before the first
 * behaviour of the validation part. Items that are not in the catalogue are left out.
 * @throws UserError of `openTable` and `requireSameIds`; `positives-none` when a source finds nothing.
 */
export async function buildPositives(db: Database, options: PositiveOptions): Promise<Positives> {
  const { columns } = options
  const table = await openTable(db, options.path, {
    [columns.user]: { type: 'id' },
    [columns.item]: { type: 'id' },
    [columns.action]: { type: 'text' },
    [columns.time]: { type: 'time' },
    [columns.request]: { type: 'id', optional: true, nullable: true },
    [columns.queryText]: { type: 'text', optional: true },
    [columns.queryImage]: { type: 'text', optional: true },
  })
  requireSameIds('item', [await numberedIds(db, itemNumbers), idsOf(table, columns.item)])
  await numberEvents(db, table, options)
  await db.run(
    `CREATE OR REPLACE TEMP TABLE positives AS ${options.sources.map((s) => sources[s](options)).join(' UNION ALL ')}`,
  )
  const bySource = await db.rows<{ source: string; n: bigint }>(
    'SELECT source, count(*) AS n FROM positives GROUP BY source',
  )
  const counts = Object.fromEntries(
    options.sources.map((s) => [s, Number(bySource.find((row) => row.source === s)?.n ?? 0)]),
  )
  const total = Object.values(counts).reduce((a, b) => a + b, 0)
  if (total === 0) throw nothingFound(table, options)
  const queryTexts = await distinct(db, 'query_text')
  const queryImages = await distinct(db, 'query_image')
  const read = await db.columns(
    `SELECT kind, CASE kind WHEN 0 THEN i.number WHEN 1 THEN t.number ELSE anchor_item END AS anchor, item, weight, part,
       coalesce(r.number, -1) AS request
     FROM positives p
     LEFT JOIN query_image_numbers i ON p.query_image = i.value
     LEFT JOIN query_text_numbers t ON p.query_text = t.value
     LEFT JOIN request_numbers r ON p.request = r.request
     ORDER BY ts, usr, item, kind, source, anchor`,
    { kind: 'uint8', anchor: 'int32', item: 'int32', weight: 'float32', part: 'uint8', request: 'int32' },
  )
  return { ...read, count: read.rows, queryTexts, queryImages, rejected: await readRejected(db), bySource: counts }
}

/** Behaviours with dense numbers, their part by time, and requests numbered. */
async function numberEvents(db: Database, table: Table, { columns, timeUnit, split }: PositiveOptions): Promise<void> {
  const optional = (name: string) =>
    table.columns.has(name) ? `CAST(${identifier(name)} AS VARCHAR)` : 'CAST(NULL AS VARCHAR)'
  await db.run(`CREATE OR REPLACE TEMP TABLE events AS
    SELECT ${identifier(columns.user)} AS usr, n.item, ${identifier(columns.action)} AS action,
      ${microseconds(table, columns.time, timeUnit)} AS ts, ${optional(columns.request)} AS request,
      nullif(trim(${optional(columns.queryText)}), '') AS query_text, ${optional(columns.queryImage)} AS query_image
    FROM ${table.source} t JOIN ${itemNumbers} n ON t.${identifier(columns.item)} = n.item_id`)
  const { a, b } = await db.row<{ a: bigint; b: bigint }>(
    `SELECT quantile_disc(ts, ${split.train}) AS a, quantile_disc(ts, ${split.train + split.valid}) AS b FROM events`,
  )
  // The boundary moments belong to the later part: training sees only what is strictly before.
  await db.run(`ALTER TABLE events ADD COLUMN part UTINYINT`)
  await db.run(`UPDATE events SET part = CASE WHEN ts < ${a} THEN 0 WHEN ts < ${b} THEN 1 ELSE 2 END`)
  await db.run(`CREATE OR REPLACE TEMP TABLE request_numbers AS
    SELECT request, CAST(row_number() OVER (ORDER BY request) - 1 AS INTEGER) AS number
    FROM (SELECT DISTINCT request FROM events WHERE request IS NOT NULL AND action IN ('click', 'purchase'))`)
}

/** Actions by which a user takes an item. */
const taken = "'click', 'favorite', 'cart', 'purchase'"

const chosen = 'usr, item, ts, part, request'

/** Choices made after a query of a kind. A choice of the same item in the same request counts once, when it is first made. */
function queryPairs(source: string, action: string, weight: number): string {
  const pairs = (kind: number, column: string) => `(
    SELECT DISTINCT ON (usr, request, item, ${column}) '${source}' AS source, ${kind} AS kind, query_text, query_image,
      CAST(NULL AS INTEGER) AS anchor_item, CAST(${weight} AS FLOAT) AS weight, ${chosen}
    FROM events WHERE action = '${action}' AND ${column} IS NOT NULL ORDER BY ts)`
  return `${pairs(0, 'query_image')} UNION ALL ${pairs(1, 'query_text')}`
}

const sources: Record<PositiveSource, (options: PositiveOptions) => string> = {
  'query-purchase': ({ purchaseWeight }) => queryPairs('query-purchase', 'purchase', purchaseWeight),
  'query-click': ({ clickWeight }) => queryPairs('query-click', 'click', clickWeight),
  // Consecutive choices of a user: the earlier item asks, the later one answers. A user with many
  // pairs counts no more than one with few: weight 1/N_u.
  session: ({ sessionMinutes }) => `
    SELECT 'session' AS source, 2 AS kind, CAST(NULL AS VARCHAR) AS query_text, CAST(NULL AS VARCHAR) AS query_image, anchor_item,
      CAST(1.0 / count(*) OVER (PARTITION BY usr, part) AS FLOAT) AS weight, ${chosen}
    FROM (
      SELECT *, lag(item) OVER w AS anchor_item, lag(ts) OVER w AS before
      FROM (SELECT DISTINCT usr, item, ts, part, request FROM events WHERE action IN ('click', 'purchase'))
      WINDOW w AS (PARTITION BY usr ORDER BY ts, item))
    WHERE anchor_item IS NOT NULL AND anchor_item <> item AND ts - before <= ${Math.round(sessionMinutes * 60e6)}`,
}

/** The distinct values of a query column of the positives, numbered in `<column>_numbers`. */
async function distinct(db: Database, column: string): Promise<string[]> {
  await db.run(`CREATE OR REPLACE TEMP TABLE ${column}_numbers AS
    SELECT value, CAST(row_number() OVER (ORDER BY value) - 1 AS INTEGER) AS number
    FROM (SELECT DISTINCT ${column} AS value FROM positives WHERE ${column} IS NOT NULL)`)
  const { value } = await db.columns(`SELECT value FROM ${column}_numbers ORDER BY number`, { value: 'string' })
  return value as string[]
}

/** Of every request with a choice: the items that were shown in it and not taken, as far as the training part knows. */
async function readRejected(db: Database): Promise<Positives['rejected']> {
  const { number, item } = await db.columns(
    `SELECT r.number, e.item FROM events e JOIN request_numbers r USING (request) WHERE e.part = 0
     GROUP BY r.number, e.item HAVING bool_and(e.action NOT IN (${taken})) ORDER BY r.number, e.item`,
    { number: 'int32', item: 'int32' },
  )
  const offsets = new Int32Array((await db.count('request_numbers')) + 1)
  for (const r of number) offsets[r + 1]++
  for (let r = 0; r < offsets.length - 1; r++) offsets[r + 1] += offsets[r]
  return { items: item, offsets }
}

function nothingFound(table: Table, { sources: names, columns }: PositiveOptions): UserError {
  const needs = names.some((name) => name.startsWith('query'))
    ? `queries in '${columns.queryText}' or '${columns.queryImage}' of clicks or purchases`
    : 'two choices of a user in a session'
  return new UserError({
    id: 'positives-none',
    where: table.path,
    what: `no pair for ${names.join(', ')}`,
    expected: needs,
    remedy: 'choose other positives.sources, e.g. session',
  })
}
