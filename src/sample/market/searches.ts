/**
 * A behavior log of any size with searches, clicks and purchases, of items without pictures: the input of the pairs of
 * C-SFT. DuckDB computes it row by row from hashes, so it does not need to fit in memory.
 */
import { dirname, join } from 'node:path'
import { requireDisk } from '../../base/capacity.js'
import { UserError } from '../../base/errors.js'
import { Database, literal } from '../../data/tables/duckdb.js'
import { makeOnce, type Outcome, type Progress } from '../once.js'
import { checkSeed, mostRows, parameters, rowBytes } from './parameters.js'

export interface SearchesOptions {
  out: string
  /** Rows of the log. */
  behaviors: number
  seed: number
}

export interface SearchesSummary {
  parameters: { behaviors: number; seed: number; revision: number }
  items: number
  users: number
  behaviors: number
}

/** Behaviors per item and per user. */
const [perItem, perUser] = [200, 500]
const [fewestItems, mostItems, fewestUsers] = [1_000, 200_000, 20]
const [categories, colors] = [50, 10]
/** Items shown per request; each is a behavior. */
const shown = 10
/** Requests per visit, and minutes between them. */
const [perVisit, minutesBetween] = [3, 5]
/** Share of requests with a text query. */
const queryShare = 0.4
/** Click rates of items in the wanted color and in other colors, and purchases per click. */
const rates = { wanted: 0.3, other: 0.06, purchase: 0.2 }
/** Ids start at 2^53 + 1, where a double cannot represent every integer. */
const firstId = '9007199254740993'
/** Increased with every change of the generated data. */
const revision = 1

/**
 * Writes items.parquet and behaviors.parquet to `out`, unless it contains those of the same parameters.
 * @throws UserError `out-exists`, `sample-size`, `sample-seed`
 */
export async function generateSearches(
  { out, behaviors, seed }: SearchesOptions,
  progress?: Progress,
): Promise<Outcome<SearchesSummary>> {
  checkSeed(seed)
  if (!Number.isInteger(behaviors) || behaviors < 1 || behaviors > mostRows) {
    const expected = `a whole number from 1 to ${mostRows}`
    throw new UserError({ id: 'sample-size', what: `--behaviors ${behaviors}`, expected })
  }
  const items = Math.min(mostItems, Math.max(fewestItems, Math.round(behaviors / perItem)))
  const users = Math.max(fewestUsers, Math.round(behaviors / perUser))
  return makeOnce(out, 'sample.json', { behaviors, seed, revision }, async (folder) => {
    const remedy = 'use a smaller --behaviors, or another disk'
    requireDisk(behaviors * rowBytes, dirname(folder), `a log of ${behaviors} rows`, remedy)
    using db = await Database.open({ memory: '1GB', temporary: join(folder, 'temporary') })
    progress?.('items', 0, 2)
    await db.writeParquet(itemRows(items, seed), join(folder, 'items.parquet'))
    progress?.('behaviors', 1, 2)
    await db.writeParquet(behaviorRows(items, users, behaviors, seed), join(folder, 'behaviors.parquet'))
    progress?.('behaviors', 2, 2)
    return { items, users, behaviors }
  })
}

/** SQL: uniform in [0, 1), independent for each `salt`. Hashed twice: one hash of several values is mixed poorly. */
const uniform = (seed: number, salt: string, ...of: string[]) =>
  `(CAST(hash(hash(${[seed, literal(salt), ...of].join(', ')})) >> 12 AS DOUBLE) / 4503599627370496)`
const drawn = (count: number, u: string) => `CAST(floor(${count} * ${u}) AS BIGINT)`

/** SQL: category and color of item i; the first items of a category are the most popular. */
const categoryOf = (i: string) => `(${i} % ${categories})`
const colorOf = (i: string) => `(${i} // ${categories} % ${colors})`

function itemRows(items: number, seed: number): string {
  return `SELECT ${firstId} + i AS item_id, 'color' || ${colorOf('i')} || ' kind' || ${categoryOf('i')} AS title,
      'kind' || ${categoryOf('i')} AS category, round(exp(3 * ${uniform(seed, 'price', 'i')}), 2) AS price
    FROM range(${items}) r(i)`
}

/** SQL: `behaviors` rows in order of time. */
function behaviorRows(items: number, users: number, behaviors: number, seed: number): string {
  const { startsAt, days } = parameters.log
  const [from, span] = [Date.parse(startsAt) * 1000, days * 86_400 * 1e6]
  const requests = Math.ceil(behaviors / shown)
  const visits = Math.ceil(requests / perVisit)
  const inCategory = Math.floor(items / categories)
  const of = (salt: string, ...values: string[]) => uniform(seed, salt, ...values)
  return `
    SELECT 'u' || u AS user_id, ${firstId} + i AS item_id, event.action AS action,
      make_timestamp(ts + event.after) AS ts, 'r' || r AS request_id,
      CASE WHEN asks THEN 'color' || color || ' kind' || category END AS query_text
    FROM (
      SELECT *, unnest(list_filter([
          {action: 'expose', after: position}, {action: 'click', after: 5000000 + 1000000 * position},
          {action: 'purchase', after: 120000000 + 1000000 * position}],
        lambda e: e.action = 'expose' OR (clicks AND (e.action = 'click' OR buys)))) AS event
      FROM (
        SELECT *, ${of('click', 'r', 'position')} <
            CASE WHEN ${colorOf('i')} = color THEN ${rates.wanted} ELSE ${rates.other} END AS clicks,
          ${of('purchase', 'r', 'position')} < ${rates.purchase} AS buys
        FROM (
          SELECT *, ${categories} * ((first + position) % ${inCategory}) + category AS i
          FROM (
            SELECT *, ${drawn(users, of('user', 'visit'))} AS u, ${drawn(categories, of('category', 'visit'))} AS category,
              ${drawn(colors, of('color', 'visit'))} AS color, ${of('asks', 'r')} < ${queryShare} AS asks,
              ${drawn(inCategory, `pow(${of('first', 'r')}, 2)`)} AS first,
              CAST(${from} + ${span} * (visit / ${visits}) AS BIGINT) + r % ${perVisit} * ${minutesBetween * 60e6} AS ts
            FROM (SELECT r, r // ${perVisit} AS visit FROM range(${requests}) q(r))),
            range(${shown}) p(position))))
    LIMIT ${behaviors}`
}
