/** How many behaviors are of items of the catalogue. */
import type { Items } from '../items/items.js'
import { checkJoin, type JoinPolicy } from '../tables/coverage.js'
import { identifier, literal } from '../tables/duckdb.js'
import type { BehaviorLog } from './log.js'

/** Actions that choose an item: their join is checked on its own, because most rows of a log are of other actions. */
const choosing = ['click', 'purchase']

/**
 * Checks the join of the log with the catalogue, of all behaviors and of those that positive pairs are made of.
 * @throws UserError `join-empty` if no behavior is of an item of the catalogue and the policy stops.
 */
export async function checkBehaviors(log: BehaviorLog, items: Items, policy: JoinPolicy): Promise<void> {
  const { db, table } = log
  const { columns } = log.options
  const [item, action] = [identifier(columns.item), identifier(columns.action)]
  const joined = (join: string) => `${table.source} t ${join} JOIN ${items.numbers} n ON t.${item} = n.item_id`
  const counts = await db.rows<{ name: string | null; of: bigint; matched: bigint }>(
    `SELECT t.${action} AS name, count(*) AS of, count(n.item) AS matched FROM ${joined('LEFT')} GROUP BY 1 ORDER BY 1`,
  )
  const check = (join: string, rows: typeof counts, where: string, mayBeEmpty: boolean) => {
    const sum = (of: 'of' | 'matched') => rows.reduce((total, row) => total + Number(row[of]), 0)
    const unmatched = {
      where: `${table.path}: column '${columns.item}'`,
      ids: () => `SELECT t.${item} AS id FROM ${joined('ANTI')} ${where}`,
    }
    const others = { where: items.table.path, ids: () => `SELECT item_id AS id FROM ${items.numbers}` }
    return checkJoin(db, { join, matched: sum('matched'), of: sum('of'), unmatched, others, mayBeEmpty }, policy)
  }
  const isWhole = await check('behaviors → items', counts, '', false)
  for (const row of counts.filter(({ name }) => name && choosing.includes(name))) {
    const join = `${row.name} behaviors → items`
    // What is wrong was said already.
    if (!isWhole) policy.facts.joins.push({ join, matched: Number(row.matched), of: Number(row.of) })
    else await check(join, [row], `WHERE t.${action} = ${literal(row.name!)}`, true)
  }
}
