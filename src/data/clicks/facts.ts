/** What the tables of a click model contain and which of their columns it reads. */
import type { DataFacts } from '../facts.js'
import type { Database } from '../tables/duckdb.js'
import { addTableFacts } from '../tables/tableFacts.js'
import type { ClickOptions } from './plan.js'
import type { ClickTables } from './tables.js'

/** Adds the facts of each table to `facts`. Labels of impressions to be scored are not read. */
export async function addClickFacts(
  db: Database,
  { data: { columns }, features, history }: Pick<ClickOptions, 'data' | 'features' | 'history'>,
  { impressions, paths, behaviors, items, times }: ClickTables,
  facts: DataFacts,
  { isScored = false } = {},
): Promise<void> {
  const { user, item, time, action } = columns
  const [label, weight] = isScored ? [null, null] : [columns.label, columns.weight]
  const named = (names: readonly (string | null | undefined)[]) => names.filter((name) => name != null)
  const ofHistory = features.history.flatMap((spec) => (spec.kind === 'gap' ? [] : [spec]))
  const ofBehaviors = ofHistory.map(({ column }) => column)
  const ofContext = features.context.flatMap(({ column }) => column)
  const shown = named([user, item, label, weight, time, columns.history, ...ofContext])
  const targets = ofHistory.map(({ target }) => target)
  const read = { path: paths.join(' + '), user, item, label, time: times?.shown }
  const used = [...shown, ...named(behaviors ? targets : [...targets, ...ofBehaviors])]
  await addTableFacts(db, 'impressions', impressions, { ...read, used }, facts)
  if (behaviors) {
    const used = [...named([user, item, action, time]), ...ofBehaviors]
    const read = { user, item, action, time: times?.behaviors, used }
    const { actions = {} } = await addTableFacts(db, 'behaviors', behaviors, read, facts)
    noteActions(actions, history.actions, facts)
  }
  if (items) {
    const used = [item, ...features.items.flatMap(({ column }) => column)]
    await addTableFacts(db, 'items', items, { used }, facts)
  }
}

/** Notes the behaviors that are left out because of their action. */
function noteActions(actions: Record<string, number>, wanted: readonly string[], { notes }: DataFacts): void {
  const left = Object.entries(actions).filter(([action]) => !wanted.includes(action))
  if (left.length === 0) return
  const list = left.map(([action, rows]) => `${rows.toLocaleString('en-US')} ${action}`).join(', ')
  notes.push(
    `histories leave out behaviors with actions that are not in history.actions (${wanted.join(', ')}): ${list}`,
  )
}
