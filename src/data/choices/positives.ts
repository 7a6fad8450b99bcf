/** Pairs of what a user asked with and what the user then chose, for C-SFT; built by DuckDB. */
import { UserError } from '../../base/errors.js'
import type { Database } from '../tables/duckdb.js'
import { type ContentVectors, nearestOfLast } from './contentFiltered.js'
import type { ItemLists } from './itemLists.js'
import { type BehaviorLog, chosen, type LogOptions, openLog, readRejected, readSessions } from './log.js'

export type PositiveSource = 'query-purchase' | 'query-click' | 'query-exposure' | 'session' | 'content-filtered'
export type AnchorKind = 'image' | 'text' | 'product'
export const anchorKinds: readonly AnchorKind[] = ['image', 'text', 'product']

/** Parts of the log by time. */
export const parts = { train: 0, valid: 1, test: 2 } as const
export type Part = keyof typeof parts

export interface PositiveOptions extends LogOptions {
  sources: readonly PositiveSource[]
  purchaseWeight: number
  clickWeight: number
  exposureWeight: number
  /** Behaviors of the user among which `content-filtered` looks for the one nearest to the target. */
  lookBack: number
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
  /** One of `parts`. */
  part: Uint8Array
  /** Seconds since the first behavior of the log. */
  second: Int32Array
  /** Request that the choice was made in, −1 if none; index into `rejected`. */
  request: Int32Array
  /** Session that the choice was made in, −1 if none; index into `inSession`. */
  session: Int32Array
  queryImages: string[]
  queryTexts: string[]
  /** Items shown in a request and not taken, of the training part. */
  rejected: ItemLists
  /** Items chosen in a session, of the training part. */
  inSession: ItemLists
  /** Pairs that each source gives, for the log. */
  bySource: Record<string, number>
}

/**
 * Reads the behaviors and builds the pairs. Pairs of the training part lie strictly before the first behavior of
 * the validation part. Items that are not in the catalogue are left out. Pairs come in the order of time; what DuckDB
 * cannot hold in the memory it was given goes through files.
 * @throws UserError of `openLog`; `positives-none` when no source finds anything.
 */
export async function buildPositives(
  db: Database,
  options: PositiveOptions,
  content?: () => Promise<ContentVectors>,
): Promise<Positives> {
  const log = await openLog(db, options)
  if (options.sources.includes('content-filtered')) {
    if (!content) throw new Error('content-filtered pairs need content vectors')
    await nearestOfLast(db, options.lookBack, await content())
  }
  const queries = options.sources.map((source, n) => `SELECT ${n} AS source, * FROM (${pairsOf[source](log, options)})`)
  await db.run(`CREATE OR REPLACE TEMP TABLE positives AS ${queries.join(' UNION ALL ')}`)
  const counts = await db.rows<{ source: number; n: bigint }>(
    'SELECT source, count(*) AS n FROM positives GROUP BY source',
  )
  const countOf = (n: number) => Number(counts.find(({ source }) => source === n)?.n ?? 0)
  const bySource = Object.fromEntries(options.sources.map((source, n) => [source, countOf(n)]))
  if (Object.values(bySource).every((n) => n === 0)) throw nothingFound(log, options)
  const queryTexts = await distinct(db, 'query_text')
  const queryImages = await distinct(db, 'query_image')
  const { rows, ...read } = await db.columns(
    `SELECT kind, CASE kind WHEN 0 THEN i.number WHEN 1 THEN t.number ELSE anchor_item END AS anchor, item, weight, part,
       (ts - ${log.start}) // 1000000 AS second, coalesce(r.number, -1) AS request, coalesce(session, -1) AS session
     FROM positives p
     LEFT JOIN query_image_numbers i ON p.query_image = i.value
     LEFT JOIN query_text_numbers t ON p.query_text = t.value
     LEFT JOIN request_numbers r ON p.request = r.request
     ORDER BY ts, usr, item, kind, source, anchor`,
    {
      kind: 'uint8',
      anchor: 'int32',
      item: 'int32',
      weight: 'float32',
      part: 'uint8',
      second: 'int32',
      request: 'int32',
      session: 'int32',
    },
    Object.values(bySource).reduce((a, b) => a + b),
  )
  await db.run('DROP TABLE positives')
  const [rejected, inSession] = [await readRejected(db, log), await readSessions(db)]
  return { ...read, count: rows, queryTexts, queryImages, rejected, inSession, bySource }
}

/**
 * The pairs without those asked with a picture that is not `readable` [queryImages]: nothing is left to ask with. An
 * event that was asked for in words too has another pair by text, which stays.
 */
export function withReadableAnchors(positives: Positives, readable: Uint8Array): Positives {
  if (!readable.includes(0)) return positives
  const { kind, anchor, item, weight, part, second, request, session } = positives
  const image = anchorKinds.indexOf('image')
  const isKept = kind.map((k, i) => (k === image ? readable[anchor[i]] : 1))
  const columns = { kind, anchor, item, weight, part, second, request, session }
  const kept = Object.entries(columns).map(([name, column]) => [name, column.filter((_, i) => isKept[i])])
  return { ...positives, ...(Object.fromEntries(kept) as typeof columns), count: isKept.reduce((n, k) => n + k, 0) }
}

const noText = 'CAST(NULL AS VARCHAR)'
const pair = (weight: string) => `CAST(${weight} AS FLOAT) AS weight, usr, item, ts, part, request, session`

/** Events after a query of a kind. One of the same item in the same request counts once, when it is first made. */
function queryPairs(events: string, weight: number): string {
  const byKind = (kind: number, column: string) => `(
    SELECT DISTINCT ON (usr, request, item, ${column}) ${kind} AS kind, query_text, query_image,
      CAST(NULL AS INTEGER) AS anchor_item, ${pair(String(weight))}
    FROM (${events}) WHERE ${column} IS NOT NULL ORDER BY ts)`
  return `${byKind(0, 'query_image')} UNION ALL ${byKind(1, 'query_text')}`
}

/** Choices of users, once each. */
const choices = `SELECT DISTINCT ON (usr, item, ts) * FROM takes WHERE action IN ${chosen} ORDER BY place`

const pairsOf: Record<PositiveSource, (log: BehaviorLog, options: PositiveOptions) => string> = {
  'query-purchase': (_, { purchaseWeight }) =>
    queryPairs("SELECT * FROM takes WHERE action = 'purchase'", purchaseWeight),
  'query-click': (_, { clickWeight }) => queryPairs("SELECT * FROM takes WHERE action = 'click'", clickWeight),
  // The weakest sign: what a search showed. Of the training part only, for nobody chose it.
  'query-exposure': ({ events, part }, { exposureWeight }) =>
    queryPairs(
      `SELECT *, CAST(0 AS UTINYINT) AS part, CAST(NULL AS INTEGER) AS session FROM (${events})
       WHERE action = 'expose' AND ${part('ts')} = 0`,
      exposureWeight,
    ),
  // Consecutive choices of a user: the earlier item asks, the later one answers. A user with many
  // pairs counts no more than one with few: weight 1/N_u.
  session: (_, { sessionMinutes }) => `
    SELECT 2 AS kind, ${noText} AS query_text, ${noText} AS query_image, anchor_item,
      ${pair('1.0 / count(*) OVER (PARTITION BY usr, part)')}
    FROM (SELECT *, lag(item) OVER w AS anchor_item, lag(ts) OVER w AS before FROM (${choices})
          WINDOW w AS (PARTITION BY usr ORDER BY ts, place))
    WHERE anchor_item IS NOT NULL AND anchor_item <> item AND ts - before <= ${Math.round(sessionMinutes * 60e6)}`,
  // Of the training part only, for the vectors that are judged had a say in them.
  'content-filtered': () => `
    SELECT 2 AS kind, ${noText} AS query_text, ${noText} AS query_image, anchor_item,
      ${pair('1.0 / count(*) OVER (PARTITION BY usr)')} FROM content_filtered`,
}

/** The distinct values of a query column of the positives, numbered in `<column>_numbers`. */
async function distinct(db: Database, column: string): Promise<string[]> {
  await db.run(`CREATE OR REPLACE TEMP TABLE ${column}_numbers AS
    SELECT value, CAST(row_number() OVER (ORDER BY value) - 1 AS INTEGER) AS number
    FROM (SELECT DISTINCT ${column} AS value FROM positives WHERE ${column} IS NOT NULL)`)
  const { value } = await db.columns(`SELECT value FROM ${column}_numbers ORDER BY number`, { value: 'string' })
  return value as string[]
}

function nothingFound({ table }: BehaviorLog, { sources, columns }: PositiveOptions): UserError {
  const needs = sources.some((name) => name.startsWith('query'))
    ? `queries in '${columns.queryText}' or '${columns.queryImage}' of clicks or purchases`
    : 'two choices of a user in a session'
  return new UserError({
    id: 'positives-none',
    where: table.path,
    what: `no pair for ${sources.join(', ')}`,
    expected: needs,
    remedy: 'choose other positives.sources, e.g. session',
  })
}
