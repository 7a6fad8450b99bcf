/** Histories of impressions: ranges of behaviors that are stored one after another. */
import { lowerBound } from '../../metrics/order.js'
import { type Column, type ColumnStore, columnOf, type GrowingColumn, type RowRange } from '../tables/column.js'
import { type Database, literal } from '../tables/duckdb.js'
import { type BehaviorFeaturePlan, columnsOf } from './features.js'
import { HashIndex, halvesOf, hashOf } from './hashIndex.js'
import type { ClickNumbers, NumberTable } from './numbers.js'
import type { ClickPlan } from './plan.js'

/** A behavior feature: codes by behavior and, if impressions have them, of the target by impression; -1 for none. */
export interface BehaviorColumn extends BehaviorFeaturePlan {
  codes: Column<'int32'>
  targetCodes?: Column<'int32'>
}

/** Impression i sees the behaviors `historyStart[i] … historyEnd[i] - 1`, oldest first. */
export interface Histories {
  /** Item numbers of behaviors. */
  behaviorItem: Column<'int32'>
  /** Microseconds since 1970 by behavior; empty if histories are listed. */
  behaviorTime: Column<'float64'>
  behaviorFeatures: BehaviorColumn[]
  historyStart: Column<'int32'>
  historyEnd: Column<'int32'>
  /** Users of impressions without a behavior: how many, and the numbers of some; undefined if histories are listed. */
  newUsers?: { count: number; some: number[] }
}

/** Dense numbers of users, of which there are `users`, and microseconds since 1970, by impression. */
interface Moments {
  user: Column<'int32'>
  time: Column<'float64'>
  users: number
}

interface BehaviorRows {
  usr: Column<'int32'>
  item: Column<'int32'>
  ts: Column<'float64'>
}

/** New users that are remembered, so that their ids can be examined. */
const remembered = 1000

/** Behaviors that have their times in memory at once; more if one user has more. */
const behaviorsAtOnce = 2 ** 24

/** Behaviors sorted by user and time; the history of an impression ends before the first that is not older than it. */
export async function builtHistories(
  db: Database,
  plan: ClickPlan,
  moments: Moments,
  store: ColumnStore,
): Promise<Histories> {
  const { sql, kinds } = plan.behaviors!
  const read = await db.stored(sql, kinds, store)
  const { usr, item, ts } = read as unknown as BehaviorRows
  const ends = rangesOf(usr, ts, moments, plan.history.length, store)
  const behaviorFeatures = columnsOf(plan.behaviorFeatures, read, store).map(({ codes }, i) => ({
    ...plan.behaviorFeatures[i],
    codes: codes!,
  }))
  return { behaviorItem: item, behaviorTime: ts, behaviorFeatures, ...ends }
}

/** The `length` latest behaviors of each impression's user before its time; behaviors are sorted by user and time. */
function rangesOf(
  usr: Column<'int32'>,
  ts: Column<'float64'>,
  { user, time, users }: Moments,
  length: number,
  store: ColumnStore,
): Pick<Histories, 'historyStart' | 'historyEnd' | 'newUsers'> {
  const [historyStart, historyEnd] = [store.zeros('int32', user.length), store.zeros('int32', user.length)]
  const first = firstOfUsers(usr, users)
  for (const group of usersAtOnce(first)) {
    const offset = first[group.from]
    const times = ts.read(offset, first[group.to])
    for (const { from, values: owners } of user.blocks()) {
      const to = from + owners.length
      const [moments, starts, ends] = [time.read(from, to), historyStart.read(from, to), historyEnd.read(from, to)]
      for (let i = 0; i < owners.length; i++) {
        const u = owners[i]
        if (u < group.from || u >= group.to) continue
        // A behavior of the same microsecond is not before.
        ends[i] = offset + lowerBound(times, moments[i], first[u] - offset, first[u + 1] - offset)
        starts[i] = Math.max(first[u], ends[i] - length)
      }
      historyStart.write(from, starts)
      historyEnd.write(from, ends)
    }
  }
  return { historyStart, historyEnd, newUsers: newUsers(first) }
}

/** The users without behaviors; `first` has the index of the first behavior of each user. */
function newUsers(first: Int32Array): { count: number; some: number[] } {
  let count = 0
  const some: number[] = []
  for (let u = 0; u < first.length - 1; u++) {
    if (first[u] < first[u + 1]) continue
    count++
    if (some.length < remembered) some.push(u)
  }
  return { count, some }
}

/** Index of the first behavior of each user; those of user u end before the first of u + 1. */
function firstOfUsers(sorted: Column<'int32'>, users: number): Int32Array {
  const first = new Int32Array(users + 1)
  for (const values of sorted.values()) for (const u of values) first[u + 1]++
  for (let u = 0; u < users; u++) first[u + 1] += first[u]
  return first
}

/** Consecutive users with at most `behaviorsAtOnce` behaviors in all, or one user with more. */
function* usersAtOnce(first: Int32Array): Generator<RowRange> {
  const users = first.length - 1
  for (let [from, to] = [0, 0]; from < users; from = to) {
    for (to = from + 1; to < users && first[to + 1] - first[from] <= behaviorsAtOnce; ) to++
    yield { from, to }
  }
}

/** Histories that are lists of the impressions: the last `length` items of each, without nulls and padding. */
export async function listedHistories(
  db: Database,
  { history: { length, padding }, behaviorFeatures: plans }: ClickPlan,
  impressions: string,
  numbers: ClickNumbers,
  store: ColumnStore,
): Promise<Histories> {
  const itemIndex = await indexOf(db, numbers.items)
  const indexes: HashIndex[] = []
  for (const { table } of plans) indexes.push(await indexOf(db, numbers.byTable[table]))
  const items = store.growing('int32')
  const codes = plans.map(() => store.growing('int32'))
  const ranges = new Ranges([items, ...codes])
  const [starts, ends] = [store.growing('int32'), store.growing('int32')]
  const { sql, names } = await listQuery(db, impressions, padding, plans.length, numbers.items)
  for await (const batch of db.batches(sql, Object.fromEntries(names.map((name) => [name, 'int64[]' as const])))) {
    const [itemList, ...lists] = names.map((name) => ({ ...batch[name], halves: halvesOf(batch[name].values) }))
    for (let row = 0; row < batch.rows; row++) {
      const [from, to] = [itemList.offsets[row], itemList.offsets[row + 1]]
      let start = to
      for (let left = length; start > from && left > 0; start--) {
        if (itemIndex.at(itemList.halves, start - 1) >= 0) left--
      }
      const begin = items.length
      for (let i = start; i < to; i++) {
        const item = itemIndex.at(itemList.halves, i)
        if (item < 0) continue
        items.add(item)
        for (const [f, { offsets, halves }] of lists.entries()) {
          const at = offsets[row] + i - from
          codes[f].add(at < offsets[row + 1] ? indexes[f].at(halves, at) : -1)
        }
      }
      const count = items.length - begin
      const first = ranges.firstOf(begin, count)
      starts.add(first)
      ends.add(first + count)
    }
  }
  return {
    behaviorItem: items.column(),
    behaviorTime: columnOf(new Float64Array(0)),
    behaviorFeatures: plans.map((plan, f) => ({ ...plan, codes: codes[f].column() })),
    historyStart: starts.column(),
    historyEnd: ends.column(),
  }
}

/** SQL of the hashes of listed items, -1 for padding, and of `features` listed features; with the names of the columns. */
async function listQuery(
  db: Database,
  impressions: string,
  padding: string | number | null,
  features: number,
  { name, value }: NumberTable,
): Promise<{ sql: string; names: string[] }> {
  const { type } = await db.row<{ type: string }>(
    `SELECT column_type AS type FROM (DESCRIBE ${name}) WHERE column_name = ${literal(value)}`,
  )
  const hash = hashOf(`CAST(x AS ${type})`)
  const ofItem =
    padding === null ? hash : `CASE WHEN CAST(x AS VARCHAR) = ${literal(String(padding))} THEN -1 ELSE ${hash} END`
  const lambdas = [ofItem, ...Array.from({ length: features }, () => hashOf('CAST(x AS VARCHAR)'))]
  const names = lambdas.map((_, i) => `list_${i}`)
  const lists = lambdas.map((lambda, i) => `list_transform(${names[i]}, lambda x: ${lambda}) AS ${names[i]}`)
  return { sql: `SELECT ${lists.join(', ')} FROM ${impressions}`, names }
}

/** Ranges that are remembered. */
const mostRanges = 2 ** 20

/** Impressions of a user often list the same behaviors: equal ranges near one another are stored once. */
class Ranges {
  private readonly begins = new Map<number, number>()

  constructor(private readonly columns: readonly GrowingColumn[]) {}

  /** Where the last `length` behaviors, from `begin` on, are stored; removes them if equal ones come before. */
  firstOf(begin: number, length: number): number {
    const hash = this.hashOf(begin, length)
    const before = this.begins.get(hash)
    if (before === undefined || !this.isEqual(before, begin, length)) {
      if (this.begins.size === mostRanges) this.begins.clear()
      this.begins.set(hash, begin)
      return begin
    }
    for (const column of this.columns) column.cut(begin)
    return before
  }

  private hashOf(begin: number, length: number): number {
    let hash = length
    for (const column of this.columns) {
      for (let i = begin; i < begin + length; i++) hash = Math.imul(hash ^ column.at(i), 0x01000193) + (hash >>> 15)
    }
    return hash | 0
  }

  private isEqual(a: number, b: number, length: number): boolean {
    return this.columns.every((column) => {
      let i = 0
      while (i < length && column.at(a + i) === column.at(b + i)) i++
      return i === length
    })
  }
}

async function indexOf(db: Database, { name, value, number }: NumberTable): Promise<HashIndex> {
  const query = `SELECT ${hashOf(value)} AS hash, ${number} AS number FROM ${name}`
  const read = await db.columns(query, { hash: 'int64', number: 'int32' })
  return new HashIndex(read.hash, read.number)
}
