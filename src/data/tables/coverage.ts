/** Judges how much of a join finds its match, and says why the rest does not. */
import { UserError } from '../../base/errors.js'
import type { DataFacts, JoinFacts } from '../facts.js'
import type { Database } from './duckdb.js'
import { type Cause, likelyCause } from './idCauses.js'

/** How strictly the joins of a data set are judged, and where their coverage is recorded. */
export interface JoinPolicy {
  facts: DataFacts
  /** Share of matches below which a join is reported as a likely mistake. */
  least: number
  /** Whether a join without any match stops the run: true for data to learn from. */
  stops: boolean
}

/** Some ids of a table. */
export interface IdSet {
  /** File and column of the ids, for messages. */
  where: string
  /** Gives an SQL query of the ids, one column `id`; called only if some ids have no match. */
  ids: () => string | Promise<string>
}

/** A join and its two sides: the ids that have no match, and all ids of the other side. */
export interface JoinCheck extends JoinFacts {
  unmatched: IdSet
  others: IdSet
  /**
   * Whether good data may match nothing: a join without a match then stops only for a likely cause, and data to be scored
   * are warned of only for one.
   */
  mayBeEmpty?: boolean
}

/** Ids of each side that a message shows. */
const shown = 3
/** Unmatched ids that are examined. */
const sample = 1000
/** Share of the examined ids from which a likely cause is reported, however many ids match. */
const notable = 0.1

/**
 * Adds a join to the facts. Warns if less than the least share matches, or if ids without a match look like ids of the
 * other side that are written differently. Returns whether nothing is wrong.
 * @throws UserError `join-empty` if nothing matches and the policy `stops`.
 */
export async function checkJoin(db: Database, check: JoinCheck, { facts, least, stops }: JoinPolicy): Promise<boolean> {
  const { join, matched, of } = check
  facts.joins.push({ join, matched, of })
  if (matched === of) return true
  const found = await examine(db, check)
  if (matched > 0 && matched >= least * of && (found.cause?.share ?? 0) < notable) return true
  if (check.mayBeEmpty && !stops && !found.cause) return true
  const problem = problemOf(check, found)
  if (matched > 0) facts.warn({ id: 'join-partial', ...problem })
  else if (!stops || (check.mayBeEmpty && !found.cause)) facts.warn({ id: 'join-empty', ...problem })
  else throw new UserError({ id: 'join-empty', ...problem, expected: 'ids written alike in both tables' })
  return false
}

/** Ids as examples of both sides, which correspond if there is a likely cause. */
interface Examples {
  unmatched: string[]
  others: string[]
  cause: Cause | undefined
}

const [oddTable, otherTable] = ['ids_without_match', 'ids_to_match']

/** Tries likely causes on a sample of the ids without a match. */
async function examine(db: Database, { unmatched, others }: JoinCheck): Promise<Examples> {
  const [odd, other] = [await unmatched.ids(), await others.ids()]
  const isText = (await isTextQuery(db, odd)) || (await isTextQuery(db, other))
  const texts = (query: string) => `SELECT DISTINCT CAST(id AS VARCHAR) AS id FROM (${query}) WHERE id IS NOT NULL`
  await db.run(`CREATE OR REPLACE TEMP TABLE ${otherTable} AS ${texts(other)}`)
  await db.run(`CREATE OR REPLACE TEMP TABLE ${oddTable} AS ${texts(odd)} ORDER BY hash(id), id LIMIT ${sample}`)
  const some = async (table: string) =>
    (await db.rows<{ id: string }>(`SELECT id FROM ${table} ORDER BY id LIMIT ${shown}`)).map(({ id }) => id)
  try {
    const cause = await likelyCause(db, oddTable, otherTable, isText)
    const pairs = cause?.pairs.slice(0, shown) ?? []
    if (pairs.length > 0) return { unmatched: pairs.map(([a]) => a), others: pairs.map(([, b]) => b), cause }
    return { unmatched: await some(oddTable), others: await some(otherTable), cause }
  } finally {
    await db.run(`DROP TABLE ${oddTable}`)
    await db.run(`DROP TABLE ${otherTable}`)
  }
}

async function isTextQuery(db: Database, query: string): Promise<boolean> {
  const [found] = await db.rows<{ type: string }>(`SELECT typeof(id) AS type FROM (${query}) LIMIT 1`)
  return found?.type === 'VARCHAR'
}

function problemOf({ join, matched, of, unmatched, others }: JoinCheck, found: Examples) {
  const list = (ids: string[]) => ids.map((id) => `'${id}'`).join(', ') || 'none'
  const share = matched === 0 ? 'none' : `${((100 * matched) / of).toFixed(1)} %`
  const because = found.cause ? `; likely cause: ${found.cause.what}` : ''
  const what =
    `${join}: ${share} of ${of.toLocaleString('en-US')} found; ` +
    `not found: ${list(found.unmatched)}; ids in ${others.where}: ${list(found.others)}${because}`
  return { where: unmatched.where, what, remedy: found.cause?.remedy ?? 'check that both tables are of the same data' }
}
