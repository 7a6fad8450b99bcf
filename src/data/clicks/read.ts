/** Impressions, behaviors and items as columns of numbers. */
import { DataFacts } from '../facts.js'
import { type Column, ColumnStore, columnOf } from '../tables/column.js'
import type { JoinPolicy } from '../tables/coverage.js'
import type { Database } from '../tables/duckdb.js'
import { checkPadding } from './checks/padding.js'
import { columnsOf, type FeatureColumn, type FeaturePlan } from './features.js'
import { type BehaviorColumn, builtHistories, type Histories, listedHistories } from './histories.js'
import { ClickNumbers } from './numbers.js'
import type { ClickPlan, ColumnQuery } from './plan.js'

/** In the order of time; by impression, unless said otherwise. `time` is in microseconds since 1970. */
export interface Impressions extends Histories {
  rows: number
  /** Rows of each part, if the parts are tables. */
  parts: [number, number, number] | undefined
  /** Dense numbers of users and items, from 0. */
  user: Column<'int32'>
  item: Column<'int32'>
  label: Column<'uint8'>
  /** Weight in training, of mean 1 there; empty if all weigh the same. */
  weight: Column<'float32'>
  /** Empty if impressions have no time. */
  time: Column<'float64'>
  users: number
  items: number
  context: FeatureColumn[]
}

export interface Clicks {
  impressions: Impressions
  /** Features by item number. */
  items: FeatureColumn[]
  numbers: ClickNumbers
}

interface ImpressionRows {
  rows: number
  usr: Column<'int32'>
  item: Column<'int32'>
  label: Column<'uint8'>
  ts: Column<'float64'>
  weight?: Column<'float32'>
}

/** `policy` says how padding of listed histories is judged. @throws UserError `history-padding` */
export async function readClicks(
  db: Database,
  plan: ClickPlan,
  store = new ColumnStore(),
  policy: JoinPolicy = { facts: new DataFacts(), least: 0.5, stops: true },
): Promise<Clicks> {
  const numbers = await ClickNumbers.create(db, plan.numbers)
  // Sorted once, read twice: numbers as columns, lists in batches.
  const impressions = 'click_impressions'
  await db.run(`CREATE OR REPLACE TEMP TABLE ${impressions} AS ${plan.impressions.sql}`)
  try {
    if (!plan.behaviors) await checkPadding(db, plan, impressions, numbers, policy)
    return {
      impressions: await readImpressions(db, plan, impressions, numbers, store),
      items: plan.items ? await readItems(db, plan.itemFeatures, plan.items) : [],
      numbers,
    }
  } finally {
    await db.run(`DROP TABLE ${impressions}`)
  }
}

async function readImpressions(
  db: Database,
  plan: ClickPlan,
  table: string,
  numbers: ClickNumbers,
  store: ColumnStore,
): Promise<Impressions> {
  const { tables, columns, context, targets } = plan
  const read = await db.stored(`FROM ${table}`, plan.impressions.kinds, store, tables.impressions.rows)
  const { rows, usr, item, label, ts, weight = columnOf(new Float32Array(0)) } = read as unknown as ImpressionRows
  const user = columns.user === null ? store.map(usr, 'int32', (_, row) => row) : usr
  const time = columns.time === null ? columnOf(new Float64Array(0)) : ts
  const features = columnsOf([...context, ...targets], read, store)
  const histories = plan.behaviors
    ? await builtHistories(db, plan, { user, time, users: numbers.users.count }, store)
    : await listedHistories(db, plan, table, numbers, store)
  return {
    rows,
    parts: tables.isSplit ? await partSizes(db, table) : undefined,
    user,
    item,
    label,
    weight,
    time,
    ...histories,
    behaviorFeatures: withTargets(histories.behaviorFeatures, features.slice(context.length)),
    users: numbers.users.count,
    items: numbers.items.count,
    context: features.slice(0, context.length),
  }
}

async function readItems(db: Database, features: readonly FeaturePlan[], { sql, kinds }: ColumnQuery) {
  const inMemory = new ColumnStore()
  return columnsOf(features, await db.stored(sql, kinds, inMemory), inMemory)
}

async function partSizes(db: Database, table: string): Promise<[number, number, number]> {
  const size = (part: number) => db.count(`${table} WHERE part = ${part}`)
  return [await size(0), await size(1), await size(2)]
}

/** `targets`: a column for each feature that has a target. */
function withTargets(features: BehaviorColumn[], targets: FeatureColumn[]): BehaviorColumn[] {
  let next = 0
  return features.map((feature) =>
    feature.target === undefined ? feature : { ...feature, targetCodes: targets[next++].codes },
  )
}
