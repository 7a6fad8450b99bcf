/** Finds ids in listed histories that are padding instead of items. */
import { UserError } from '../../../base/errors.js'
import type { JoinPolicy } from '../../tables/coverage.js'
import { type Database, literal } from '../../tables/duckdb.js'
import { isUsualPadding } from '../../tables/idCauses.js'
import { type ClickNumbers, isOf } from '../numbers.js'
import type { ClickPlan } from '../plan.js'

/** Least share of lists that begin or end with an id several times, from which the id is padding, not an item. */
const leastPadded = 0.01
/** The same for ids that the impressions or the catalogue have too. */
const leastPaddedItem = 0.5

interface End {
  id: string
  /** Lists that begin or end with it, and with two of it. */
  lists: number
  runs: number
  /** Whether the impressions or the catalogue have it. */
  known: boolean
}

/**
 * Warns if `history.padding` is in no list. Checks that lists, in the column `list_0` of the table `impressions`, have no
 * other padding: an id such as 0 at an end of many lists that no impression and no item of the catalogue has.
 *
 * The id is not removed without being asked: the table alone does not prove that it is no item.
 * @throws UserError `history-padding`; if the policy does not stop runs it is a warning.
 */
export async function checkPadding(
  db: Database,
  { tables, columns, history: { padding } }: ClickPlan,
  impressions: string,
  { items }: ClickNumbers,
  { facts, stops }: JoinPolicy,
): Promise<void> {
  const where = `${tables.impressions.path}: column '${columns.history}'`
  const text = padding === null ? undefined : literal(String(padding))
  if (text && stops && (await db.count(`${items.name} WHERE CAST(item_id AS VARCHAR) = ${text}`)) === 0) {
    const remedy = 'correct history.padding, or set it to null'
    facts.warn({ id: 'padding-unused', where, what: `history.padding ${padding} is in no list`, remedy })
  }
  const lists = await db.count(`${impressions} WHERE len(list_0) > 0`)
  const others = ['impressions', 'items'] as const
  const known = others.filter((source) => items.sources!.includes(source)).map((source) => isOf(items, source))
  // An end of a list and whether the next id is the same.
  const ends = `SELECT list_0[1] AS id, coalesce(list_0[1] = list_0[2], false) AS again FROM ${impressions}
    UNION ALL SELECT list_0[-1], coalesce(list_0[-1] = list_0[-2], false) FROM ${impressions}`
  const found = await db.rows<End>(
    `SELECT CAST(e.id AS VARCHAR) AS id, count(*) AS lists, count(*) FILTER (again) AS runs,
       coalesce(bool_or(${known.join(' OR ')}), false) AS known
     FROM (${ends}) e LEFT JOIN ${items.name} n ON e.id = n.item_id
     WHERE ${isUsualPadding('CAST(e.id AS VARCHAR)')} ${text ? `AND CAST(e.id AS VARCHAR) <> ${text}` : ''}
     GROUP BY 1 ORDER BY lists DESC`,
  )
  const share = (count: number) => Number(count) / lists
  const padded = found.find(({ known, runs }) => share(runs) >= (known ? leastPaddedItem : leastPadded))
  if (!padded) return
  const { id, known: isItem } = padded
  const percent = (100 * Math.min(1, share(padded.lists))).toFixed(1)
  const what = `'${id}' is at an end of ${percent} % of the lists${isItem ? '' : ' and in no other table'}: padding, not an item?`
  const remedy = `set history.padding: ${/^-?\d+$/.test(id) ? id : `"${id}"`}`
  if (stops && !isItem) throw new UserError({ id: 'history-padding', where, what, expected: 'items', remedy })
  facts.warn({ id: 'history-padding', where, what, remedy })
}
