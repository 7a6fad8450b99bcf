/** What the behavior log contains and what C-SFT makes of it. */
import type { DataFacts } from '../facts.js'
import { warnPartial } from '../tables/parts.js'
import { tableFacts } from '../tables/tableFacts.js'
import { type BehaviorLog, takingActions } from './log.js'

/** Adds the facts of the log to `facts`, and a note on actions that take no item. */
export async function addLogFacts({ db, table, time, options }: BehaviorLog, facts: DataFacts): Promise<void> {
  const { columns } = options
  const { user, item, action } = columns
  const used = Object.values(columns)
  const found = await tableFacts(db, 'behaviors', table, { user, item, action, time, used })
  facts.tables.push(found)
  warnPartial(table, used, facts)
  const others = Object.entries(found.actions ?? {}).filter(([name]) => !takingActions.includes(name))
  if (others.length === 0) return
  const list = others.map(([name, rows]) => `${rows.toLocaleString('en-US')} ${name}`).join(', ')
  facts.notes.push(`actions other than ${takingActions.join(', ')} count as impressions without a choice: ${list}`)
}
