/** Finds an id that stands for all users who are not known, such as 0 or an empty text. */
import type { DataFacts } from '../../facts.js'
import type { Database } from '../../tables/duckdb.js'
import { isUsualPadding } from '../../tables/idCauses.js'
import type { ClickPlan } from '../plan.js'
import type { Clicks } from '../read.js'

/** Fewest impressions that are judged. */
const fewestRows = 100
/** Least share of the impressions from which a user is not one: of any id, and of one that means "no id". */
const leastShare = 0.5
const leastEmpty = 0.02
/** Such an id may belong to the first user: it does if it has fewer impressions than this many mean users. */
const leastUsers = 10

/** Warns (`user-anonymous`) of a user who has so many impressions that many users share its id. */
export async function checkAnonymous(
  db: Database,
  { tables, columns }: ClickPlan,
  { impressions: { user, users, rows }, numbers }: Pick<Clicks, 'impressions' | 'numbers'>,
  facts: DataFacts,
): Promise<void> {
  if (columns.user === null || rows < fewestRows) return
  const counts = new Float64Array(Math.max(users, numbers.users.count))
  for (const block of user.values(0, rows)) for (const one of block) counts[one]++
  const top = counts.reduce((best, count, one) => (count > counts[best] ? one : best), 0)
  const { name, value, number } = numbers.users
  const id = `CAST(${value} AS VARCHAR)`
  const found = await db.rows<{ id: string; user: number | bigint; isEmpty: boolean }>(
    `SELECT ${id} AS id, ${number} AS user, ${isUsualPadding(id)} AS "isEmpty" FROM ${name}
     WHERE ${number} = ${top} OR ${isUsualPadding(id)} ORDER BY id`,
  )
  for (const { id, user, isEmpty } of found) {
    const share = counts[Number(user)] / rows
    const isShared = share >= leastShare || (isEmpty && share >= Math.max(leastEmpty, leastUsers / users))
    if (!isShared) continue
    facts.warn({
      id: 'user-anonymous',
      where: `${tables.impressions.path}: column '${columns.user}'`,
      what: `user '${id}' has ${(100 * share).toFixed(1)} % of the impressions: users who are not known?`,
      remedy: 'give each unknown user or session an id of its own, or drop the rows',
    })
  }
}
