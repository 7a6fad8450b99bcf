/**
 * A data set of any size without pictures: behaviors, impressions with histories of a given length, and an embedding
 * table. DuckDB computes it row by row from hashes, so it does not need to fit in memory.
 */
import { dirname, join } from 'node:path'
import { requireDisk } from '../base/capacity.js'
import { UserError } from '../base/errors.js'
import { Database, literal } from '../data/tables/duckdb.js'
import { checkSeed, mostRows, parameters, rowBytes } from './market/parameters.js'
import { makeOnce, type Outcome, type Progress } from './once.js'

export interface LargeOptions {
  out: string
  impressions: number
  /** History length of each impression. */
  history: number
  seed: number
}

export interface LargeSummary {
  parameters: { impressions: number; history: number; seed: number; revision: number }
  items: number
  users: number
  behaviors: number
}

/** Impressions per item and per user. */
const perItem = 100
const perUser = 500
const [fewestItems, mostItems, fewestUsers] = [1_000, 1_000_000, 20]
const categories = 50
const width = 32
/** Share of behaviors and of impressions in the category that a user likes. */
const ofTaste = { behaviors: 0.5, impressions: 0.2 }
/** Click rates in that category and elsewhere. */
const clickRates = { liked: 0.25, other: 0.05 }
/** Behaviors cover the whole log, impressions only the part from here on, when every history is complete. */
const impressionsFrom = 5 / 6
/** Behaviors of a history at most. */
const longestHistory = 2 ** 20
/** Ids start at 2^53 + 1, where a double cannot represent every integer. */
const firstId = '9007199254740993'
/** Increased with every change of the generated data. */
const revision = 1

/**
 * Writes items, behaviors, impressions and embeddings.parquet to `out`, unless it contains those of the same parameters.
 * @throws UserError `out-exists`, `sample-size`, `sample-seed`
 */
export async function generateLarge(options: LargeOptions, progress?: Progress): Promise<Outcome<LargeSummary>> {
  const { out, impressions, history, seed } = options
  checkSeed(seed)
  for (const [name, value] of Object.entries({ impressions, history })) {
    const most = name === 'history' ? longestHistory : mostRows
    if (Number.isInteger(value) && value >= 1 && value <= most) continue
    const expected = `a whole number from 1 to ${most}`
    throw new UserError({ id: 'sample-size', what: `--${name} ${value}`, expected })
  }
  const items = Math.min(mostItems, Math.max(fewestItems, Math.round(impressions / perItem)))
  const users = Math.max(fewestUsers, Math.round(impressions / perUser))
  const perHistory = Math.ceil(history / impressionsFrom) + 1
  const made = { impressions, history, seed, revision }
  return makeOnce(out, 'sample.json', made, async (folder) => {
    const rows = impressions + users * perHistory
    requireDisk(
      rows * rowBytes,
      dirname(folder),
      `tables of ${rows} rows`,
      'use a smaller --impressions, or another disk',
    )
    using db = await Database.open({ memory: '2GB', temporary: join(folder, 'temporary') })
    const tables = queries({ items, users, impressions, perHistory, seed })
    for (const [i, [name, query]] of tables.entries()) {
      progress?.(name, i, tables.length)
      await db.writeParquet(query, join(folder, `${name}.parquet`))
    }
    progress?.(tables[tables.length - 1][0], tables.length, tables.length)
    return { items, users, behaviors: users * perHistory }
  })
}

interface Extent {
  items: number
  users: number
  impressions: number
  perHistory: number
  seed: number
}

function queries({ items, users, impressions, perHistory, seed }: Extent): [string, string][] {
  const { startsAt, days } = parameters.log
  const [from, span] = [Date.parse(startsAt) * 1000, days * 86_400 * 1e6]
  /** SQL: uniform in [0, 1), independent for each `salt`. Hashed twice: one hash of several values is mixed poorly. */
  const uniform = (salt: string, ...of: string[]) =>
    `(CAST(hash(hash(${[seed, literal(salt), ...of].join(', ')})) >> 12 AS DOUBLE) / 4503599627370496)`
  const taste = `CAST(floor(${categories} * ${uniform('taste', 'u')}) AS BIGINT)`
  const at = (share: string) => `make_timestamp(CAST(${from} + ${span} * (${share}) AS BIGINT))`
  const inCategory = Math.floor(items / categories)
  /** Item i has category i modulo their number; the first items of a category are the most popular. */
  const drawn = (salt: string, share: number, ...of: string[]) => {
    const category = `CASE WHEN ${uniform(`${salt} liked`, ...of)} < ${share} THEN ${taste}
      ELSE CAST(floor(${categories} * ${uniform(`${salt} category`, ...of)}) AS BIGINT) END`
    return `${categories} * CAST(floor(${inCategory} * pow(${uniform(`${salt} item`, ...of)}, 2)) AS BIGINT) + ${category}`
  }
  const userId = `'u' || u AS user_id`
  const itemId = `${firstId} + i AS item_id`
  const clickRate = `CASE WHEN i % ${categories} = ${taste} THEN ${clickRates.liked} ELSE ${clickRates.other} END`
  const centre = (j: string) => `${uniform('centre', `i % ${categories}`, j)} - 0.5`
  const noise = (j: string) => `${uniform('noise', 'i', j)} - 0.5`
  return [
    [
      'items',
      `SELECT ${itemId}, 'c' || (i % ${categories}) AS category, round(exp(3 * ${uniform('price', 'i')}), 2) AS price
       FROM range(${items}) r(i)`,
    ],
    [
      'embeddings',
      `SELECT item_id, list_transform(v, lambda x: CAST(x / sqrt(list_sum(list_transform(v, lambda y: y * y))) AS FLOAT))
         AS embedding
       FROM (SELECT ${itemId}, list_transform(range(${width}), lambda j: 2 * (${centre('j')}) + ${noise('j')}) AS v
         FROM range(${items}) r(i))`,
    ],
    [
      'behaviors',
      `SELECT ${userId}, ${itemId}, 'click' AS action, ts FROM (
         SELECT u, ${drawn('behaviour', ofTaste.behaviors, 'u', 'k')} AS i,
           ${at(`(k + ${uniform('moment', 'u')}) / ${perHistory}`)} AS ts
         FROM range(${users}) a(u), range(${perHistory}) b(k))`,
    ],
    [
      'impressions',
      `SELECT ${userId}, ${itemId}, CAST(${uniform('click', 'n')} < ${clickRate} AS TINYINT) AS label, ts FROM (
         SELECT n, u, ${drawn('impression', ofTaste.impressions, 'n')} AS i,
           ${at(`${impressionsFrom} + (1 - ${impressionsFrom}) * n / ${impressions}`)} AS ts
         FROM (SELECT n, CAST(floor(${users} * ${uniform('user', 'n')}) AS BIGINT) AS u FROM range(${impressions}) r(n)))`,
    ],
  ]
}
