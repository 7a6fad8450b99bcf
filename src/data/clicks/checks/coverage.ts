/** How many impressions and behaviors find their items, users, histories and content vectors in the other tables. */
import { UserError } from '../../../base/errors.js'
import { unknownRow } from '../../../ops/tableRows.js'
import type { Column, RowRange } from '../../tables/column.js'
import { checkJoin, type IdSet, type JoinPolicy } from '../../tables/coverage.js'
import { type Database, identifier, literal } from '../../tables/duckdb.js'
import { type Encoders, knownValues } from '../encoders.js'
import { type ClickNumbers, type ItemSource, isOf, type NumberTable } from '../numbers.js'
import type { ClickPlan } from '../plan.js'
import type { Clicks, Impressions } from '../read.js'
import { checkAnonymous } from './anonymous.js'
import { checkRepeats } from './repeats.js'

/** Least share of users with a behavior; the others are new users, of which there may be many. */
const fewestUsers = 0.05

/** Numbers without a match that are remembered, so that their ids can be examined. */
const remembered = 1000

/** Behaviors that are read to see how they write ids of users. */
const sampledBehaviors = 5_000_000

/**
 * Checks the joins by ids of items and of users. A catalogue that is not open is not checked.
 * @throws UserError `join-empty`; `history-empty` if there are no behaviors for histories. Both only if the policy stops.
 */
export async function checkClicks(db: Database, plan: ClickPlan, clicks: Clicks, policy: JoinPolicy): Promise<void> {
  const { impressions, numbers } = clicks
  const sources = await sourcesOfItems(db, numbers)
  const check = (items: ItemsToFind, to: ItemSource, policy: JoinPolicy) => {
    const bit = 1 << numbers.items.sources!.indexOf(to)
    return checkItems(db, plan, numbers.items, items, { to, isMatched: (item) => (sources[item] & bit) > 0 }, policy)
  }
  const ofHistories = behaviorsOf(plan, impressions)
  if (plan.tables.items) {
    for (const items of shownItems(plan, impressions)) await check(items, 'items', policy)
    await check(ofHistories, 'items', policy)
  } else {
    // Items of histories may no longer be shown: however few match, only a likely cause is reported.
    await check(ofHistories, 'impressions', { ...policy, least: 0 })
  }
  if (plan.tables.behaviors) await checkUsers(db, plan, clicks, policy)
  if (policy.stops) {
    await checkAnonymous(db, plan, clicks, policy.facts)
    checkRepeats(plan, clicks, policy.facts)
  }
  checkHistories(impressions, policy)
}

/** A column of item numbers that should be found in another table. */
interface ItemsToFind {
  /** What it is of: impressions, behaviors or histories. */
  from: string
  /** File and column. */
  where: string
  column: Column<'int32'>
  rows: RowRange
}

/** Items of the impressions, of each part if parts are tables of their own. */
function shownItems({ tables, columns }: ClickPlan, { item, parts, rows }: Impressions): ItemsToFind[] {
  const where = (path: string) => `${path}: column '${columns.item}'`
  if (!parts) return [{ from: 'impressions', where: where(tables.paths[0]), column: item, rows: { from: 0, to: rows } }]
  const names = ['train', 'valid', 'test']
  return parts.map((size, i) => {
    const from = parts.slice(0, i).reduce((sum, before) => sum + before, 0)
    return {
      from: `${names[i]} impressions`,
      where: where(tables.paths[i]),
      column: item,
      rows: { from, to: from + size },
    }
  })
}

function behaviorsOf({ tables, columns }: ClickPlan, { behaviorItem: column }: Impressions): ItemsToFind {
  const rows = { from: 0, to: column.length }
  const { behaviors, impressions } = tables
  if (behaviors) return { from: 'behaviors', where: `${behaviors.path}: column '${columns.item}'`, column, rows }
  return { from: 'histories', where: `${impressions.path}: column '${columns.history}'`, column, rows }
}

async function checkItems(
  db: Database,
  { tables, columns }: ClickPlan,
  numbers: NumberTable,
  { from, where, column, rows }: ItemsToFind,
  { to, isMatched }: { to: ItemSource; isMatched: (item: number) => boolean },
  policy: JoinPolicy,
): Promise<void> {
  const { matched, odd } = countMatches(column, rows, isMatched)
  const join = `${from} → ${to === 'impressions' ? 'items of impressions' : to}`
  const path = (to === 'items' ? tables.items : tables.impressions)!.path
  const others = {
    where: `${path}: column '${columns.item}'`,
    ids: () => `SELECT item_id AS id FROM ${numbers.name} WHERE ${isOf(numbers, to)}`,
  }
  const unmatched = { where, ids: () => idsOf(numbers, odd) }
  const mayBeEmpty = to === 'impressions'
  await checkJoin(db, { join, matched, of: rows.to - rows.from, unmatched, others, mayBeEmpty }, policy)
}

/** Checks that items of impressions and of behaviors have vectors. */
export async function checkVectors(
  db: Database,
  plan: ClickPlan,
  { impressions, numbers }: Pick<Clicks, 'impressions' | 'numbers'>,
  /** A table of vectors, its name in the facts and its ids; `rowOf` is 0 for item numbers without a vector. */
  { name, ids, rowOf }: { name: string; ids: IdSet; rowOf: Int32Array },
  policy: JoinPolicy,
): Promise<void> {
  for (const { from, where, column, rows } of [...shownItems(plan, impressions), behaviorsOf(plan, impressions)]) {
    const { matched, odd } = countMatches(column, rows, (item) => rowOf[item] > 0)
    const unmatched = { where, ids: () => idsOf(numbers.items, odd) }
    await checkJoin(db, { join: `${from} → ${name}`, matched, of: rows.to - rows.from, unmatched, others: ids }, policy)
  }
}

/** Checks that a model knows the items, users and categories of impressions to be scored; `trained` has its encoders. */
export async function checkKnown(
  db: Database,
  plan: ClickPlan,
  { impressions, numbers }: Clicks,
  { vocabularies }: Pick<Encoders, 'vocabularies'>,
  trained: string,
  policy: JoinPolicy,
): Promise<void> {
  const { item, user, context } = impressions
  const { path } = plan.tables.impressions
  const check = async (table: string, column: Column<'int32'>, of: string, name: string, mayBeEmpty: boolean) => {
    const { rowOf } = vocabularies[table]
    const rows = { from: 0, to: column.length }
    const { matched, odd, missing } = countMatches(column, rows, (number) => rowOf[number] > unknownRow)
    const unmatched = { where: `${path}: column '${name}'`, ids: () => idsOf(numbers.byTable[table], odd) }
    const ids = () => `SELECT value AS id FROM (${knownValues(trained, table)})`
    const others = { where: `the training of ${trained}`, ids }
    const join = `impressions → ${of} of training`
    await checkJoin(db, { join, matched, of: column.length - missing, unmatched, others, mayBeEmpty }, policy)
  }
  await check('item', item, 'items', plan.columns.item, true)
  if (vocabularies['user'] && plan.columns.user !== null) await check('user', user, 'users', plan.columns.user, true)
  for (const { name, table, reads, values, codes, spec } of context) {
    // A list that is short has missing values.
    if (reads === 'vocabulary' && codes && values === 1)
      await check(table, codes, `values of ${name}`, [spec.column].flat().join(', '), false)
  }
}

/** Checks that users of impressions have behaviors. */
async function checkUsers(db: Database, plan: ClickPlan, { impressions, numbers }: Clicks, policy: JoinPolicy) {
  const { tables, columns } = plan
  const { path, source } = tables.behaviors!
  const { users, newUsers, behaviorItem } = impressions
  const empty = policy.stops && behaviorItem.length === 0 ? await noActions(db, plan) : undefined
  if (empty) throw empty
  const [table, column] = [numbers.users.name, identifier(columns.user!)]
  const unmatched = {
    where: `${tables.paths[0]}: column '${columns.user}'`,
    ids: () => idsOf(numbers.users, newUsers!.some),
  }
  const others = {
    where: `${path}: column '${columns.user}'`,
    // Those that have no impressions: ids that correspond to ids of new users are among them.
    ids: () =>
      `SELECT id FROM (SELECT ${column} AS id FROM ${source} LIMIT ${sampledBehaviors}) b ANTI JOIN ${table} u ON b.id = u.user_id`,
  }
  const check = {
    join: 'users → behaviors',
    matched: users - newUsers!.count,
    of: users,
    unmatched,
    others,
    mayBeEmpty: !policy.stops,
  }
  await checkJoin(db, check, { ...policy, least: Math.min(policy.least, fewestUsers) })
}

/** The error that no behavior, of whichever user, has one of the actions; undefined: some have. */
async function noActions(db: Database, { tables, columns, history }: ClickPlan): Promise<UserError | undefined> {
  const { path, source } = tables.behaviors!
  const action = identifier(columns.action)
  const actions = history.actions.map(literal).join(', ')
  if ((await db.rows(`SELECT 1 FROM ${source} WHERE ${action} IN (${actions}) LIMIT 1`)).length > 0) return undefined
  const found = await db.rows<{ action: string }>(`SELECT DISTINCT ${action} AS action FROM ${source} LIMIT 20`)
  const what = `no behavior has an action of ${actions}`
  const expected = `history.actions among ${found.map((row) => row.action).join(', ')}`
  return new UserError({ id: 'history-empty', where: path, what, expected })
}

/** Adds the impressions that have a history to the facts; in training, warns if none has, or few do of known users. */
function checkHistories(
  { historyStart, historyEnd, rows, users, newUsers }: Impressions,
  { facts, least, stops }: JoinPolicy,
): void {
  let matched = 0
  for (const { from, values: ends } of historyEnd.blocks()) {
    const starts = historyStart.read(from, from + ends.length)
    for (let i = 0; i < ends.length; i++) if (ends[i] > starts[i]) matched++
  }
  facts.joins.push({ join: 'impressions → histories', matched, of: rows })
  if (!stops) return
  const remedy = 'check that behaviors are earlier than impressions, or use a model without histories'
  if (matched === 0) facts.warn({ id: 'history-none', what: 'no impression has a history', remedy })
  else if (newUsers && users - newUsers.count >= least * users && matched < least * rows) {
    const [share, known] = [matched / rows, 1 - newUsers.count / users].map((part) => (100 * part).toFixed(1))
    const what = `${share} % of the impressions have a history, although ${known} % of the users have behaviors`
    facts.warn({ id: 'history-few', what, remedy })
  }
}

/** Number of rows that match, some of the numbers that do not, and the number of rows without one (-1). */
function countMatches(column: Column<'int32'>, { from, to }: RowRange, isMatched: (number: number) => boolean) {
  let [matched, missing] = [0, 0]
  const odd = new Set<number>()
  for (const numbers of column.values(from, to)) {
    for (const number of numbers) {
      if (number < 0) missing++
      else if (isMatched(number)) matched++
      else if (odd.size < remembered) odd.add(number)
    }
  }
  return { matched, missing, odd: [...odd] }
}

/** SQL of the ids of numbers. */
const idsOf = ({ name, value, number }: NumberTable, numbers: readonly number[]) =>
  `SELECT ${value} AS id FROM ${name} WHERE ${number} IN (${numbers.join(', ')})`

/** Column `sources` by item number. */
async function sourcesOfItems(db: Database, { items: { name, number } }: ClickNumbers): Promise<Uint8Array> {
  const read = await db.columns(`SELECT sources FROM ${name} ORDER BY ${number}`, { sources: 'uint8' })
  return read.sources
}
