/**
 * What `mim ctr` learns from: impressions in the order of time, each with the stretch of its user's
 * behaviors that lies strictly before it. Histories are never written out: impression i sees
 * `events[historyStart[i] … historyEnd[i])`, events being sorted by user and time.
 */
import { UserError } from '../../base/errors.js'
import { type Column, ColumnStore } from '../tables/column.js'
import {
  type ColumnRule,
  type IdSource,
  idsOf,
  labelOf,
  microseconds,
  openTable,
  requireSameIds,
  type Table,
} from '../tables/contract.js'
import { type Database, identifier } from '../tables/duckdb.js'
import { type ImpressionOptions, type ImpressionTables, itemNumbers, userNumbers } from './contract.js'
import {
  columnsOf,
  type FeatureColumn,
  type FeaturePlan,
  featureKinds,
  type SidePlan,
  selectFeatures,
} from './features.js'
import { builtHistories, type Histories, listedHistories } from './histories.js'

/** Beside the features: `time` of impressions and `eventTime` of behaviors in microseconds, where behaviors have one. */
export interface Impressions extends Histories {
  rows: number
  /** Rows of each part, where the parts are tables. */
  parts: [number, number, number] | undefined
  /** Dense numbers of users and items, from 0. */
  user: Column<'int32'>
  item: Column<'int32'>
  label: Column<'uint8'>
  /** How much each counts in training, of mean 1 there; empty where all count alike. */
  weight: Column<'float32'>
  /** Microseconds since 1970; empty where impressions have no time. */
  time: Column<'float64'>
  users: number
  items: number
  context: FeatureColumn[]
}

const part = identifier('mim: part')
const file = identifier('mim: file')
const fileRow = identifier('mim: row of the file')

/**
 * Opens and checks the tables that impressions and histories come from.
 * @throws UserError of `openTable`; `history-source` where histories can be neither read nor built.
 */
export async function openImpressions(db: Database, options: ImpressionOptions): Promise<ImpressionTables> {
  const { columns, impressions: paths } = options
  if (columns.history === null && (columns.user === null || columns.time === null)) {
    const missing = columns.user === null ? 'user' : 'time'
    const what = `no histories: data.columns.history and data.columns.${missing} are both null`
    const expected = 'a column that lists histories, or users and times to build them from'
    throw new UserError({ id: 'history-source', what, expected })
  }
  const rules: Record<string, ColumnRule> = {
    ...(columns.user === null ? {} : { [columns.user]: { type: 'id' } }),
    [columns.item]: { type: 'id' },
    [columns.label]: { type: 'label', optional: options.unlabeled },
    ...(columns.weight ? { [columns.weight]: { type: 'weight', optional: options.unlabeled } } : {}),
    ...(columns.time === null ? {} : { [columns.time]: { type: 'time' } }),
    ...(columns.history === null ? {} : { [columns.history]: { type: 'ids' } }),
  }
  const list = typeof paths === 'string' ? [paths] : [paths.train, paths.valid, paths.test]
  const tables: Table[] = []
  for (const path of list) tables.push(await openTable(db, path, rules))
  const sources = tables.map(
    ({ source }, i) => `SELECT *, ${i} AS ${part}, filename AS ${file}, file_row_number AS ${fileRow} FROM ${source}`,
  )
  const [first] = tables
  const impressions = {
    ...first,
    source: `(${sources.join(' UNION ALL BY NAME ')})`,
    columns: new Map(tables.flatMap((table) => [...table.columns])),
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
  }
  return { impressions, behaviors: columns.history === null ? await openBehaviors(db, options) : undefined }
}

/**
 * Loads impressions and histories into `store`; numbers every item that they name, and those of `catalogue` (an
 * item-id column in SQL) beside.
 * @throws UserError `id-types` where tables disagree on the type of ids; `history-empty` where no behavior is of use.
 */
export async function loadImpressions(
  db: Database,
  options: ImpressionOptions,
  { impressions: table, behaviors }: ImpressionTables,
  features: { context: readonly FeaturePlan[]; sides: readonly SidePlan[] } = { context: [], sides: [] },
  catalogue: (IdSource & { ids: string })[] = [],
  store = new ColumnStore(),
): Promise<Impressions> {
  const { columns, timeUnit } = options
  const item = identifier(columns.item)
  const sources = [
    { ...idsOf(table, columns.item), ids: `SELECT ${item} AS item_id FROM ${table.source}` },
    ...(behaviors
      ? [{ ...idsOf(behaviors, columns.item), ids: `SELECT ${item} AS item_id FROM ${behaviors.source}` }]
      : []),
    ...(columns.history ? [listed(table, columns.history)] : []),
    ...catalogue,
  ]
  requireSameIds('item', sources)
  if (behaviors) requireSameIds('user', [idsOf(table, columns.user!), idsOf(behaviors, columns.user!)])
  await number(db, itemNumbers, 'item_id', 'item', sources.map(({ ids }) => ids).join(' UNION '))
  if (columns.user !== null) {
    const users = `SELECT ${identifier(columns.user)} AS user_id FROM ${table.source}`
    await number(db, userNumbers, 'user_id', 'usr', users)
  }

  const { select, joins } = selectFeatures(features.context)
  const targets = targetPlans(features.sides)
  const ofTargets = selectFeatures(targets)
  const lists =
    columns.history === null ? [] : [columns.history, ...features.sides.map(({ spec }) => String(spec.column))]
  const rename = (sql: string) => sql.replaceAll('feature_', 'target_')
  const type = table.columns.get(columns.label)
  const weighted = columns.weight ? table.columns.has(columns.weight) : false
  const label = type ? `CAST(${labelOf(`t.${identifier(columns.label)}`, type)} AS UTINYINT)` : '0::UTINYINT'
  await db.run(`CREATE OR REPLACE TEMP TABLE impression_rows AS
    SELECT t.${part} AS part, ${columns.user === null ? '0' : 'u.usr'} AS usr, n.item, ${label} AS label,
      ${columns.time === null ? '0' : microseconds(table, columns.time, timeUnit)} AS ts
      ${weighted ? `, CAST(t.${identifier(columns.weight!)} AS FLOAT) AS weight` : ''} ${select} ${rename(ofTargets.select)} ${lists.map((name, i) => `, t.${identifier(name)} AS list_${i}`).join('')}
    FROM ${table.source} t
    ${columns.user === null ? '' : `JOIN ${userNumbers} u ON t.${identifier(columns.user)} = u.user_id`}
    JOIN ${itemNumbers} n ON t.${item} = n.item_id
    ${joins} ${rename(ofTargets.joins)}
    ORDER BY 1, ${columns.time === null ? `t.${file}, t.${fileRow}` : '5, 2, 3, 4'}`)
  const kinds = featureKinds(features.context)
  const targetKinds = Object.fromEntries(targets.map((_, i) => [`target_${i}_0`, 'int32' as const]))
  const { usr, ...read } = await db.stored(
    'SELECT * FROM impression_rows',
    {
      usr: 'int32',
      item: 'int32',
      label: 'uint8',
      ts: 'float64',
      ...(weighted ? { weight: 'float32' as const } : {}),
      ...kinds,
      ...targetKinds,
    },
    store,
    table.rows,
  )
  const { rows } = read
  const user = columns.user === null ? store.map(usr, 'int32', (_, row) => row) : usr
  if (columns.user === null) await numberRows(db, rows)
  const time = columns.time === null ? new Float64Array(0) : read.ts
  const targetCodes = targets.map((_, i) => (read as unknown as Record<string, Column<'int32'>>)[`target_${i}_0`])
  const histories = behaviors
    ? await builtHistories(db, behaviors, options, { user, time, sides: features.sides }, store)
    : await listedHistories(db, options, features.sides, store)
  const parts = typeof options.impressions === 'string' ? undefined : await partSizes(db)
  await db.run('DROP TABLE impression_rows')
  return {
    rows,
    parts,
    user,
    item: read.item,
    label: read.label,
    weight: (read as { weight?: Column<'float32'> }).weight ?? new Float32Array(0),
    time,
    ...histories,
    sides: withTargets(histories.sides, targetCodes),
    users: columns.user === null ? rows : await db.count(userNumbers),
    items: await db.count(itemNumbers),
    context: columnsOf(features.context, read, store),
  }
}

async function partSizes(db: Database): Promise<[number, number, number]> {
  const sizes = []
  for (const p of [0, 1, 2]) sizes.push(await db.count(`impression_rows WHERE part = ${p}`))
  return sizes as [number, number, number]
}

/** The side features whose value at the target is told by impressions, as features of impressions. */
function targetPlans(sides: readonly SidePlan[]): FeaturePlan[] {
  return sides.flatMap((side) => (side.target === undefined ? [] : [{ ...side, sql: [side.target] }]))
}

function withTargets(sides: Histories['sides'], codes: Column<'int32'>[]): Histories['sides'] {
  let next = 0
  return sides.map((side) => (side.target === undefined ? side : { ...side, targetCodes: codes[next++] }))
}

async function openBehaviors(db: Database, { behaviors, columns }: ImpressionOptions): Promise<Table> {
  return openTable(db, behaviors, {
    [columns.user!]: { type: 'id' },
    [columns.item]: { type: 'id' },
    [columns.action]: { type: 'text' },
    [columns.time!]: { type: 'time' },
  })
}

function listed(table: Table, column: string) {
  return { ...idsOf(table, column), ids: `SELECT unnest(${identifier(column)}) AS item_id FROM ${table.source}` }
}

/** Gives the distinct non-null ids of a query dense numbers from 0, in their own order. */
async function number(db: Database, name: string, id: string, dense: string, query: string): Promise<void> {
  await db.run(`CREATE OR REPLACE TEMP TABLE ${name} AS
    SELECT ${id}, CAST(row_number() OVER (ORDER BY ${id}) - 1 AS INTEGER) AS ${dense}
    FROM (SELECT DISTINCT ${id} FROM (${query}) WHERE ${id} IS NOT NULL)`)
}

/** Without users each impression is of one of its own, whose id is the number of the row. */
async function numberRows(db: Database, rows: number): Promise<void> {
  await db.run(`CREATE OR REPLACE TEMP TABLE ${userNumbers} AS
    SELECT range AS user_id, CAST(range AS INTEGER) AS usr FROM range(${rows})`)
}
