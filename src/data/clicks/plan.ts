/** How impressions become columns: features, number tables and SQL, all decided before anything is read. */

import { type IdSource, idsOf, labelOf, requireSameIds, type Table } from '../tables/contract.js'
import { identifier, literal } from '../tables/duckdb.js'
import type { NumericKind } from '../tables/growing.js'
import { fileNumberColumn, fileRowColumn } from '../tables/source.js'
import type { BehaviorFeatureSpec, FeatureSpec } from './featureSpec.js'
import {
  type BehaviorFeaturePlan,
  checkNames,
  type FeaturePlan,
  featureKinds,
  numbersOf,
  planBehaviorFeatures,
  planFeatures,
  selectFeatures,
} from './features.js'
import { type ItemSource, type NumberPlan, type NumberPlans, numbered, numberedBySource } from './numbers.js'
import { type ClickColumns, type ClickTables, partColumn } from './tables.js'
import { timeColumn } from './times.js'

/** The options of `mim ctr` that say how its tables are read. */
export interface ClickOptions {
  data: { columns: ClickColumns }
  history: HistoryOptions
  features: {
    user: boolean
    items: readonly FeatureSpec[]
    context: readonly FeatureSpec[]
    history: readonly BehaviorFeatureSpec[]
  }
}

export interface HistoryOptions {
  /** Actions of the behaviors that make up histories. */
  actions: readonly string[]
  /** Longest history. */
  length: number
  /** Id that pads listed histories; null: none does. */
  padding: string | number | null
}

/** A query and the kinds of its columns, or of those that are read. */
export interface ColumnQuery {
  sql: string
  kinds: Readonly<Record<string, NumericKind>>
}

export interface ClickPlan {
  tables: ClickTables
  columns: ClickColumns
  history: HistoryOptions
  itemFeatures: readonly FeaturePlan[]
  context: readonly FeaturePlan[]
  behaviorFeatures: readonly BehaviorFeaturePlan[]
  /** The behavior features that have a column with the value of the target, as features of impressions. */
  targets: readonly FeaturePlan[]
  /** Whether the time from behavior to impression is a feature. */
  gap: boolean
  numbers: NumberPlans
  /** `usr`, `item`, `label`, `ts`, and perhaps `weight`, features and `list_0`, …: listed history, behavior features. */
  impressions: ColumnQuery
  /** `usr`, `item`, `ts` and features, by user and time; undefined if histories are listed. */
  behaviors: ColumnQuery | undefined
  /** Features of items by item number; undefined if there are none. */
  items: ColumnQuery | undefined
}

/**
 * Plans without I/O.
 * @throws UserError `column-missing`, `column-type`, `feature-names`, `feature-gap`; `id-types` if the tables disagree
 * on the type of ids.
 */
export function planClicks({ data, history, features }: ClickOptions, tables: ClickTables): ClickPlan {
  const { columns } = data
  const { impressions, behaviors, items } = tables
  const itemFeatures = items ? planFeatures(features.items, items) : []
  const context = planFeatures(features.context, impressions)
  const { behaviorFeatures, gap } = planBehaviorFeatures(features.history, impressions, behaviors)
  const planned = [...itemFeatures, ...context, ...behaviorFeatures]
  checkNames(
    planned.map(({ name }) => name),
    planned.map(({ table }) => table),
  )
  const targets = behaviorFeatures.flatMap((plan) =>
    plan.target === undefined ? [] : [{ ...plan, sql: [plan.target] }],
  )
  const parts = { tables, columns, history, itemFeatures, context, behaviorFeatures, targets, gap }
  return {
    ...parts,
    numbers: {
      items: planItems(columns, tables),
      users: planUsers(columns, tables),
      texts: planTexts(parts),
      embedsUsers: features.user,
    },
    impressions: impressionQuery(columns, parts),
    behaviors: behaviors && behaviorQuery(columns, history, behaviors, behaviorFeatures),
    items: items && itemQuery(identifier(columns.item), items, itemFeatures),
  }
}

type Planned = Omit<ClickPlan, 'numbers' | 'impressions' | 'behaviors' | 'items'>

const itemNumbers = { name: 'click_item_numbers', value: 'item_id', number: 'item' }
const userNumbers = { name: 'click_user_numbers', value: 'user_id', number: 'usr' }

/** Where items come from; `ids` is SQL. */
interface PlannedSource extends IdSource {
  name: ItemSource
  ids: string
}

/** Every item of any table has a number. */
function planItems({ item, history }: ClickColumns, { impressions, behaviors, items }: ClickTables): NumberPlan {
  const column = (name: ItemSource, table: Table): PlannedSource => ({
    name,
    ...idsOf(table, item),
    ids: `SELECT ${identifier(item)} AS item_id FROM ${table.source}`,
  })
  const listed = (list: string): PlannedSource => ({
    name: 'histories',
    ...idsOf(impressions, list),
    ids: `SELECT unnest(${identifier(list)}) AS item_id FROM ${impressions.source}`,
  })
  const sources = [
    column('impressions', impressions),
    ...(behaviors ? [column('behaviors', behaviors)] : []),
    ...(history === null ? [] : [listed(history)]),
    ...(items ? [column('items', items)] : []),
  ]
  requireSameIds('item', sources)
  const queries = sources.map(({ ids }) => ids)
  const query = numberedBySource('item_id', 'item', queries)
  return { ...itemNumbers, query, sources: sources.map(({ name }) => name) }
}

/** The users of the impressions; without ids each impression is of a user of its own. */
function planUsers({ user }: ClickColumns, { impressions, behaviors }: ClickTables): NumberPlan {
  if (user === null) {
    const query = `SELECT range AS user_id, CAST(range AS INTEGER) AS usr FROM range(${impressions.rows})`
    return { ...userNumbers, query }
  }
  if (behaviors) requireSameIds('user', [idsOf(impressions, user), idsOf(behaviors, user)])
  const query = `SELECT ${identifier(user)} AS user_id FROM ${impressions.source}`
  return { ...userNumbers, query: numbered('user_id', 'usr', query) }
}

/** The values of all features that share an embedding table are numbered together. */
function planTexts({ tables, itemFeatures, context, behaviorFeatures, targets }: Planned): Record<string, NumberPlan> {
  const { impressions, behaviors, items } = tables
  const values = (source: string) => (plan: FeaturePlan) => ({ plan, sql: plan.sql, from: `${source} t` })
  const listed = (plan: FeaturePlan) => ({
    plan,
    sql: ['CAST(x AS VARCHAR)'],
    from: `(SELECT unnest(${plan.sql[0]}) AS x FROM ${impressions.source} t)`,
  })
  const sources = [
    ...itemFeatures.map(values(items?.source ?? '')),
    ...[...context, ...targets].map(values(impressions.source)),
    ...behaviorFeatures.map(behaviors ? values(behaviors.source) : listed),
  ]
  const queries: Record<string, string[]> = {}
  for (const { plan, sql, from } of sources) {
    if (plan.reads !== 'vocabulary') continue
    queries[plan.table] ??= []
    queries[plan.table].push(...sql.map((text) => `SELECT ${text} AS value FROM ${from}`))
  }
  const entries = Object.entries(queries).map(([table, all]): [string, NumberPlan] => {
    const query = numbered('value', 'number', all.join(' UNION ALL '))
    return [table, { name: numbersOf(table), value: 'value', number: 'number', query }]
  })
  return Object.fromEntries(entries)
}

function impressionQuery(
  columns: ClickColumns,
  { tables: { impressions: table, behaviors, unlabeled }, context, targets, behaviorFeatures }: Planned,
): ColumnQuery {
  const { user, item, label, weight, time, history } = columns
  const { select, joins } = selectFeatures([...context, ...targets])
  const lists = behaviors ? [] : [`t.${identifier(history!)}`, ...behaviorFeatures.map(({ sql }) => sql[0])]
  const labelSql = unlabeled ? '0' : labelOf(`t.${identifier(label)}`, table.columns.get(label)!)
  const isWeighted = weight && !unlabeled
  const selected = [
    `t.${partColumn} AS part`,
    user === null ? '0 AS usr' : 'u.usr',
    'n.item',
    `CAST(${labelSql} AS UTINYINT) AS label`,
    `${time === null ? '0' : `t.${timeColumn}`} AS ts`,
    ...(isWeighted ? [`CAST(t.${identifier(weight!)} AS FLOAT) AS weight`] : []),
    ...select,
    ...lists.map((list, i) => `${list} AS list_${i}`),
  ]
  return {
    sql: `SELECT ${selected.join(', ')}
      FROM ${table.source} t
      ${user === null ? '' : `JOIN ${userNumbers.name} u ON t.${identifier(user)} = u.user_id`}
      JOIN ${itemNumbers.name} n ON t.${identifier(item)} = n.item_id
      ${joins}
      ORDER BY 1, ${time === null || unlabeled ? `t.${fileNumberColumn}, t.${fileRowColumn}` : '5, 2, 3, 4'}`,
    kinds: {
      usr: 'int32',
      item: 'int32',
      label: 'uint8',
      ts: 'float64',
      ...(isWeighted ? { weight: 'float32' } : {}),
      ...featureKinds([...context, ...targets]),
    },
  }
}

function behaviorQuery(
  { user, item, action }: ClickColumns,
  { actions }: HistoryOptions,
  table: Table,
  features: readonly BehaviorFeaturePlan[],
): ColumnQuery {
  const { select, joins } = selectFeatures(features)
  const selected = ['u.usr', 'n.item', `t.${timeColumn} AS ts`, ...select]
  return {
    sql: `SELECT ${selected.join(', ')}
      FROM ${table.source} t
      JOIN ${userNumbers.name} u ON t.${identifier(user!)} = u.user_id
      JOIN ${itemNumbers.name} n ON t.${identifier(item)} = n.item_id
      ${joins}
      WHERE t.${identifier(action)} IN (${actions.map(literal).join(', ')})
      ORDER BY 1, 3, 2`,
    kinds: { usr: 'int32', item: 'int32', ts: 'float64', ...featureKinds(features) },
  }
}

/** Items that the table does not have lack their features. */
function itemQuery(id: string, { source }: Table, features: readonly FeaturePlan[]): ColumnQuery {
  const { select, joins } = selectFeatures(features)
  return {
    sql: `SELECT ${['n.item', ...select].join(', ')}
      FROM ${itemNumbers.name} n LEFT JOIN ${source} t ON t.${id} = n.item_id
      ${joins}
      ORDER BY n.item`,
    kinds: featureKinds(features),
  }
}
