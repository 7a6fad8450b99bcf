/** Histories of impressions: stretches of behaviors that lie end to end. */
import { UserError } from '../../base/errors.js'
import { lowerBound } from '../../metrics/order.js'
import { blocks, type Column, type ColumnStore, put, type RowRange, stretch, valuesOf } from '../tables/column.js'
import { microseconds, type Table } from '../tables/contract.js'
import { type Database, identifier, literal } from '../tables/duckdb.js'
import { type ImpressionOptions, itemNumbers, userNumbers } from './contract.js'
import { columnsOf, featureKinds, type SidePlan, selectFeatures } from './features.js'
import { HashIndex, halvesOf, hashOf } from './hashIndex.js'

/** A side feature: codes by event and, where impressions tell it, of their targets; -1 for none. */
export interface SideColumn extends SidePlan {
  codes: Column<'int32'>
  targetCodes?: Column<'int32'>
}

export interface Histories {
  /** Item numbers of behaviors. */
  events: Column<'int32'>
  /** Microseconds since 1970 by event; empty where histories are listed. */
  eventTime: Column<'float64'>
  sides: SideColumn[]
  historyStart: Column<'int32'>
  historyEnd: Column<'int32'>
}

/** Of each impression: dense number of the user, and microseconds since 1970. */
interface Moments {
  user: Column<'int32'>
  time: Column<'float64'>
  sides: readonly SidePlan[]
}

/** Events whose times are held at once, but for a user who has more. */
const eventsHeld = 2 ** 24

/**
 * Behaviors sorted by user and time; the history of an impression ends before the first that is not older than it.
 * @throws UserError `history-empty`
 */
export async function builtHistories(
  db: Database,
  { path, source, columns: types, rows }: Table,
  { columns, timeUnit, actions, length }: ImpressionOptions,
  { user, time, sides }: Moments,
  store: ColumnStore,
): Promise<Histories> {
  const wanted = actions.map(literal).join(', ')
  const { select, joins } = selectFeatures(sides)
  const table = { path, source, columns: types, rows }
  const read = await db.stored(
    `SELECT u.usr, n.item, ${microseconds(table, columns.time!, timeUnit)} AS ts ${select}
     FROM ${source} t
     JOIN ${userNumbers} u ON t.${identifier(columns.user!)} = u.user_id
     JOIN ${itemNumbers} n ON t.${identifier(columns.item)} = n.item_id
     ${joins}
     WHERE ${identifier(columns.action)} IN (${wanted})
     ORDER BY 1, 3, 2`,
    { usr: 'int32', item: 'int32', ts: 'float64', ...featureKinds(sides) },
    store,
  )
  if (read.rows === 0) {
    const found = await db.rows<{ action: string }>(
      `SELECT DISTINCT ${identifier(columns.action)} AS action FROM ${source} LIMIT 20`,
    )
    throw new UserError({
      id: 'history-empty',
      where: path,
      what: `no behavior of the users in the impressions has an action of ${wanted}`,
      expected: `history.actions among ${found.map((row) => row.action).join(', ')}`,
    })
  }
  const [historyStart, historyEnd] = [store.zeros('int32', user.length), store.zeros('int32', user.length)]
  const first = firstOfUsers(read.usr, await db.count(userNumbers))
  for (const users of together(first)) {
    const offset = first[users.from]
    const times = stretch(read.ts, offset, first[users.to])
    for (const { from, values: owners } of blocks(user)) {
      const to = from + owners.length
      const [moments, starts, ends] = [
        stretch(time, from, to),
        stretch(historyStart, from, to),
        stretch(historyEnd, from, to),
      ]
      for (let i = 0; i < owners.length; i++) {
        const u = owners[i]
        if (u < users.from || u >= users.to) continue
        // An event of the same microsecond is not before.
        ends[i] = offset + lowerBound(times, moments[i], first[u] - offset, first[u + 1] - offset)
        starts[i] = Math.max(first[u], ends[i] - length)
      }
      put(historyStart, from, starts)
      put(historyEnd, from, ends)
    }
  }
  const codes = columnsOf(sides, read, store).map((column, i) => ({ ...sides[i], codes: column.codes! }))
  return { events: read.item, eventTime: read.ts, sides: codes, historyStart, historyEnd }
}

/** Where the events of each user begin; those of user u end where those of u + 1 begin. */
function firstOfUsers(sorted: Column<'int32'>, users: number): Int32Array {
  const first = new Int32Array(users + 1)
  for (const values of valuesOf(sorted)) for (const u of values) first[u + 1]++
  for (let u = 0; u < users; u++) first[u + 1] += first[u]
  return first
}

/** Users that follow one another, as many as have `eventsHeld` events together, at least one. */
function* together(first: Int32Array): Generator<RowRange> {
  const users = first.length - 1
  for (let [from, to] = [0, 0]; from < users; from = to) {
    for (to = from + 1; to < users && first[to + 1] - first[from] <= eventsHeld; ) to++
    yield { from, to }
  }
}

/** Histories that the impressions bring along, the last `length` of each list, without nulls and padding. */
export async function listedHistories(
  db: Database,
  { length, padding }: ImpressionOptions,
  sides: readonly SidePlan[],
  store: ColumnStore,
): Promise<Histories> {
  const { type } = await db.row<{ type: string }>(
    `SELECT column_type AS type FROM (DESCRIBE ${itemNumbers}) WHERE column_name = 'item_id'`,
  )
  const index = await indexOf(db, itemNumbers, 'item_id', 'item')
  const ofSides: HashIndex[] = []
  for (const { numbers } of sides) ofSides.push(await indexOf(db, numbers!, 'value', 'number'))
  const isPadding = padding === null ? 'false' : `CAST(x AS VARCHAR) = ${literal(String(padding))}`
  const lists = [
    `list_transform(list_0, lambda x: CASE WHEN ${isPadding} THEN -1 ELSE ${hashOf(`CAST(x AS ${type})`)} END) AS items`,
    ...sides.map((_, i) => `list_transform(list_${i + 1}, lambda x: ${hashOf('CAST(x AS VARCHAR)')}) AS side_${i}`),
  ]
  const sideKinds = Object.fromEntries(sides.map((_, i) => [`side_${i}`, 'int64[]' as const]))
  const events = store.growing('int32')
  const codes = sides.map(() => store.growing('int32'))
  const stretches = new Stretches([events, ...codes])
  const [starts, ends] = [store.growing('int32'), store.growing('int32')]
  const query = `SELECT ${lists.join(', ')} FROM impression_rows`
  for await (const batch of db.batches(query, { items: 'int64[]' as const, ...sideKinds })) {
    const { offsets, values } = batch.items
    const halves = halvesOf(values)
    const beside = sides.map((_, i) => (batch as unknown as Record<string, typeof batch.items>)[`side_${i}`])
    const besideHalves = beside.map((list) => halvesOf(list.values))
    for (let row = 0; row < batch.rows; row++) {
      const [from, to] = [offsets[row], offsets[row + 1]]
      let start = to
      for (let left = length; start > from && left > 0; start--) if (index.at(halves, start - 1) >= 0) left--
      const begin = events.length
      for (let i = start; i < to; i++) {
        const item = index.at(halves, i)
        if (item < 0) continue
        events.add(item)
        for (const [s, list] of beside.entries()) {
          const at = list.offsets[row] + i - from
          codes[s].add(at < list.offsets[row + 1] ? ofSides[s].at(besideHalves[s], at) : -1)
        }
      }
      const count = events.length - begin
      const first = stretches.firstOf(begin, count)
      starts.add(first)
      ends.add(first + count)
    }
  }
  return {
    events: events.finish(),
    eventTime: new Float64Array(0),
    sides: sides.map((side, i) => ({ ...side, codes: codes[i].finish() })),
    historyStart: starts.finish(),
    historyEnd: ends.finish(),
  }
}

/** Stretches that are remembered. */
const mostStretches = 2 ** 20

/** Impressions of a user often list the same behaviors: equal stretches not far from one another are kept once. */
class Stretches {
  private readonly begins = new Map<number, number>()

  constructor(private readonly columns: readonly ReturnType<ColumnStore['growing']>[]) {}

  /** Where the last `length` behaviors, from `begin` on, stand first; where that is elsewhere they are removed. */
  firstOf(begin: number, length: number): number {
    const hash = this.hashOf(begin, length)
    const before = this.begins.get(hash)
    if (before === undefined || !this.isEqual(before, begin, length)) {
      if (this.begins.size === mostStretches) this.begins.clear()
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

async function indexOf(db: Database, table: string, id: string, number: string): Promise<HashIndex> {
  const query = `SELECT ${hashOf(id)} AS hash, ${number} AS number FROM ${identifier(table)}`
  const read = await db.columns(query, { hash: 'int64', number: 'int32' })
  return new HashIndex(read.hash, read.number)
}
