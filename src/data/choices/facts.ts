/** What the behavior log contains and what C-SFT makes of it. */
import type { DataFacts } from '../facts.js'
import { addTableFacts } from '../tables/tableFacts.js'
import { type BehaviorLog, takingActions } from './log.js'

/** Other names that logs have for the actions by which a user takes an item. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  click: ['clicks', 'clicked', 'clk', 'pv'],
  favorite: ['favorites', 'favourite', 'fav', 'collect', 'wishlist'],
  cart: ['carts', 'addtocart', 'basket'],
  purchase: ['purchases', 'purchased', 'buy', 'bought', 'order', 'ordered', 'pay', 'paid', 'transaction'],
}

/**
 * Adds the facts of the log to `facts`, with a note on actions that take no item, or the warning `actions-unknown` if
 * some of these look like actions that do.
 */
export async function addLogFacts({ db, table, time, options }: BehaviorLog, facts: DataFacts): Promise<void> {
  const { columns } = options
  const { user, item, action } = columns
  const used = Object.values(columns)
  const read = { user, item, action, time, used }
  const { actions = {} } = await addTableFacts(db, 'behaviors', table, read, facts)
  const others = Object.entries(actions).filter(([name]) => !takingActions.includes(name))
  if (others.length === 0) return
  const list = others.map(([name, rows]) => `${rows.toLocaleString('en-US')} ${name}`).join(', ')
  const what = `actions other than ${takingActions.join(', ')} count as impressions without a choice: ${list}`
  const meant = [...new Set(others.flatMap(([name]) => meaningOf(name) ?? []))]
  if (meant.length === 0) return void facts.notes.push(what)
  const remedy = `did you mean ${meant.join(', ')}? write the actions under these names`
  facts.warn({ id: 'actions-unknown', where: `${table.path}: column '${action}'`, what, remedy })
}

/** The action that another spelling or name probably means. */
function meaningOf(name: string): string | undefined {
  const plain = name.toLowerCase().replace(/[^a-z]/g, '')
  return takingActions.find((action) => action === plain || otherNames[action].includes(plain))
}
