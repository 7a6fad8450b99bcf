/** Positive pairs for C-SFT: what a user asked with (the query) and the item that the user then chose (the target). */
import { UserError } from '../../base/errors.js'
import type { ItemLists } from './itemLists.js'
import type { BehaviorLog } from './log.js'
import { type SourceName, type SourceOptions, sourceOf } from './sources/index.js'
import { type ContentVectors, queryKinds } from './sources/source.js'

export interface PositiveOptions extends SourceOptions {
  sources: readonly SourceName[]
}

/** Pairs in the order of time, by column. */
export interface Positives {
  count: number
  /** Kind of the query, an index of `queryKinds`. */
  kind: Uint8Array
  /** By kind: an index of `queryImages`, an index of `queryTexts`, or the item number of a product. */
  query: Int32Array
  /** Item number of the target. */
  target: Int32Array
  /** Weight in the loss. */
  weight: Float32Array
  /** A value of `parts`. */
  part: Uint8Array
  /** Seconds since the first behavior of the log. */
  second: Int32Array
  /** Request in which the target was chosen, an index of the lists `rejected`; −1: none. */
  request: Int32Array
  /** Session in which the target was chosen, an index of the lists `inSession`; −1: none. */
  session: Int32Array
  queryImages: string[]
  queryTexts: string[]
  /** Items shown in a request and not taken, of the training part. */
  rejected: ItemLists
  /** Items chosen in a session, of the training part. */
  inSession: ItemLists
  /** Number of pairs by source. */
  bySource: Record<string, number>
}

/**
 * Builds the pairs of `log`. Pairs of the training part are strictly before the first behavior of the validation part.
 * Items that are not in the catalogue are left out. `content` computes the content vectors for the sources that need
 * them.
 * @throws UserError `positives-none` when no source finds a pair.
 */
export async function buildPositives(
  log: BehaviorLog,
  options: PositiveOptions,
  content: () => Promise<ContentVectors>,
): Promise<Positives> {
  const { db } = log
  const pairs = log.name('pairs')
  const bySource = await makePairs(log, pairs, options, content)
  const found = Object.values(bySource).reduce((a, b) => a + b)
  if (found === 0) throw nothingFound(log, options)
  const queryTexts = await log.numberQueries('query_text', pairs)
  const queryImages = await log.numberQueries('query_image', pairs)
  const { rows, ...columns } = await db.columns(
    `SELECT kind, CASE kind WHEN 0 THEN i.number WHEN 1 THEN t.number ELSE query_item END AS query, item AS target,
       weight, part, (ts - ${log.start}) // 1000000 AS second, coalesce(r.number, -1) AS request,
       coalesce(session, -1) AS session
     FROM ${pairs} p
     LEFT JOIN ${log.queries('query_image')} i ON p.query_image = i.value
     LEFT JOIN ${log.queries('query_text')} t ON p.query_text = t.value
     LEFT JOIN ${log.requests} r ON p.request = r.request
     ORDER BY ts, usr, item, kind, source, query`,
    {
      kind: 'uint8',
      query: 'int32',
      target: 'int32',
      weight: 'float32',
      part: 'uint8',
      second: 'int32',
      request: 'int32',
      session: 'int32',
    },
    found,
  )
  await db.run(`DROP TABLE ${pairs}`)
  const [rejected, inSession] = [await log.readRejected(), await log.readSessions()]
  return { ...columns, count: rows, queryTexts, queryImages, rejected, inSession, bySource }
}

/** Makes the table `pairs` of all sources; returns the number of pairs of each. */
async function makePairs(
  log: BehaviorLog,
  pairs: string,
  { sources, ...options }: PositiveOptions,
  content: () => Promise<ContentVectors>,
): Promise<Record<string, number>> {
  const { db } = log
  const selects: string[] = []
  for (const [n, name] of sources.entries())
    selects.push(`SELECT ${n} AS source, * FROM (${await sourceOf(name).pairs(log, options, content)})`)
  await db.run(`CREATE TEMP TABLE ${pairs} AS ${selects.join(' UNION ALL ')}`)
  const counts = await db.rows<{ source: number; n: bigint }>(
    `SELECT source, count(*) AS n FROM ${pairs} GROUP BY source`,
  )
  const countOf = (n: number) => Number(counts.find(({ source }) => source === n)?.n ?? 0)
  return Object.fromEntries(sources.map((name, n) => [name, countOf(n)]))
}

/**
 * The pairs without those whose query is a picture that is not `readable` [queryImages]. A behavior that has a text
 * query too keeps its pair by text.
 */
export function withReadableQueries(positives: Positives, readable: Uint8Array): Positives {
  if (!readable.includes(0)) return positives
  const { kind, query, target, weight, part, second, request, session } = positives
  const image = queryKinds.indexOf('image')
  const isKept = kind.map((k, i) => (k === image ? readable[query[i]] : 1))
  const columns = { kind, query, target, weight, part, second, request, session }
  const kept = Object.entries(columns).map(([name, column]) => [name, column.filter((_, i) => isKept[i])])
  return { ...positives, ...(Object.fromEntries(kept) as typeof columns), count: isKept.reduce((n, k) => n + k, 0) }
}

function nothingFound({ table, options: { columns } }: BehaviorLog, { sources }: PositiveOptions): UserError {
  const needs = new Set(sources.map((name) => sourceOf(name).needs(columns)))
  return new UserError({
    id: 'positives-none',
    where: table.path,
    what: `no pair for ${sources.join(', ')}`,
    expected: [...needs].join('; or '),
    remedy: 'choose other positives.sources, e.g. session',
  })
}
