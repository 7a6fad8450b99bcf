import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NumberTable } from '../../../src/data/clicks/numbers.js'
import { planClicks } from '../../../src/data/clicks/plan.js'
import { type Impressions, readClicks } from '../../../src/data/clicks/read.js'
import { type ClickColumns, openClicks } from '../../../src/data/clicks/tables.js'
import { DataFacts } from '../../../src/data/facts.js'
import type { TimeUnit } from '../../../src/data/times/units.js'
import { openTables } from '../tables.js'

const { db, write, rows } = await openTables()

const columns = { user: 'user_id', item: 'item_id', label: 'label', time: 'ts', action: 'action', history: null }

interface Options {
  impressions: string
  behaviors?: string
  columns?: ClickColumns
  timeUnit?: TimeUnit | 'auto'
  actions?: string[]
  length?: number
}

async function read({ behaviors = '', timeUnit = 's', actions = ['click'], length = 10, ...options }: Options) {
  const sources = { columns, behaviors, timeUnit, timeZone: null, ...options }
  const data = { columns: sources.columns }
  const features = { user: true, items: [], context: [], history: [] }
  const plan = planClicks(
    { data, history: { actions, length, padding: null }, features },
    await openClicks(db, sources, new DataFacts()),
  )
  return readClicks(db, plan)
}

/** The impressions in order as "user item: history", with the ids of the files. */
async function histories(options: Options): Promise<string[]> {
  const { impressions, numbers } = await read(options)
  const names = async ({ name, value, number }: NumberTable) =>
    (await db.columns(`SELECT CAST(${value} AS VARCHAR) AS id FROM ${name} ORDER BY ${number}`, { id: 'string' })).id
  const [users, items] = [await names(numbers.users), await names(numbers.items)]
  assert.deepEqual([impressions.users, impressions.items], [users.length, items.length])
  return Array.from(impressions.item.read(), (item, row) => {
    const seen = Array.from(historyOf(impressions, row), (behavior) => items[behavior])
    return `${users[impressions.user.read()[row]]} ${items[item]}: ${seen.join(' ')}`.trim()
  })
}

const historyOf = ({ behaviorItem, historyStart, historyEnd }: Impressions, row: number) =>
  behaviorItem.read(historyStart.read()[row], historyEnd.read()[row])

const impression = 'user_id, item_id, label, ts'
const behavior = 'user_id, item_id, action, ts'

describe('Histories', () => {
  test('when behaviors are of the same moment or later then they are not in the history', async () => {
    const impressions = await rows('i', impression, "('a', 1, 1, 100)", "('a', 2, 0, 101)", "('a', 3, 0, 102)")
    const behaviors = await rows(
      'b',
      behavior,
      "('a', 13, 'click', 102)",
      "('a', 11, 'click', 100)",
      "('a', 10, 'click', 99)",
      "('a', 12, 'click', 101)",
      "('a', 14, 'click', 5000)",
    )
    assert.deepEqual(await histories({ impressions, behaviors }), ['a 1: 10', 'a 2: 10 11', 'a 3: 10 11 12'])
  })

  test('when a moment has several behaviors then all are in the history after it and none at it', async () => {
    const impressions = await rows('i', impression, "('a', 1, 1, 100)", "('a', 2, 0, 101)")
    const behaviors = await rows('b', behavior, "('a', 21, 'click', 100)", "('a', 20, 'click', 100)")
    assert.deepEqual(await histories({ impressions, behaviors }), ['a 1:', 'a 2: 20 21'])
  })

  test('when random tables are read then every history is what a scan of the behaviors gives', async () => {
    // Few moments, so that ties are many.
    const draw = (salt: number, below: number) => `CAST(hash(i, ${salt}) % ${below} AS INTEGER)`
    const impressions = await write(
      'i',
      `SELECT ${draw(1, 9)} AS user_id, ${draw(2, 50)} AS item_id, i % 2 AS label, ${draw(3, 40)} AS ts FROM range(300) r(i)`,
    )
    const behaviors = await write(
      'b',
      `SELECT ${draw(4, 8)} AS user_id, ${draw(5, 60)} AS item_id, 'click' AS action, ${draw(6, 40)} AS ts
       FROM range(250) r(i)`,
    )
    const length = 5
    const expected = await db.rows<{ text: string }>(
      `WITH i AS (FROM read_parquet('${impressions}')), b AS (FROM read_parquet('${behaviors}'))
       SELECT concat(i.user_id, ' ', i.item_id, ': ', (SELECT string_agg(item_id, ' ' ORDER BY ts, item_id) FROM
         (SELECT * FROM b WHERE b.user_id = i.user_id AND b.ts < i.ts ORDER BY ts DESC, item_id DESC LIMIT ${length})))
         AS text FROM i ORDER BY i.ts, i.user_id, i.item_id`,
    )
    const found = await histories({ impressions, behaviors, length })
    assert.deepEqual(
      found,
      expected.map(({ text }) => text.trim()),
    )
  })

  test('when there are more behaviors than the length then the latest are kept', async () => {
    const impressions = await rows('i', impression, "('a', 1, 1, 100)", "('b', 1, 0, 100)")
    const behaviors = await write(
      'b',
      `SELECT u AS user_id, i AS item_id, 'click' AS action, i AS ts FROM range(30) r(i), (VALUES ('a'), ('b')) t(u)`,
    )
    assert.deepEqual(await histories({ impressions, behaviors, length: 3 }), ['a 1: 27 28 29', 'b 1: 27 28 29'])
  })

  test('when users have no behaviors, or of other actions only, then their histories are empty', async () => {
    const impressions = await rows('i', impression, "('a', 1, 1, 100)", "('b', 1, 0, 100)", "('c', 1, 0, 100)")
    const behaviors = await rows('b', behavior, "('a', 9, 'click', 1)", "('b', 8, 'expose', 1)", "('z', 7, 'click', 1)")
    assert.deepEqual(await histories({ impressions, behaviors }), ['a 1: 9', 'b 1:', 'c 1:'])
    const actions = ['click', 'expose']
    assert.deepEqual(await histories({ impressions, behaviors, actions }), ['a 1: 9', 'b 1: 8', 'c 1:'])
  })

  test('when impressions list their history then its last entries are taken in their order, without nulls', async () => {
    const impressions = await rows(
      'i',
      'user_id, item_id, label, ts, seen',
      "('a', 1, 1, 1, [5, 4, 3, 4])",
      "('b', 1, 0, 2, NULL)",
      "('c', 1, 0, 3, [])",
      "('d', 1, 0, 4, [6, NULL, 7])",
    )
    const found = await histories({ impressions, columns: { ...columns, history: 'seen' }, length: 3 })
    assert.deepEqual(found, ['a 1: 4 3 4', 'b 1:', 'c 1:', 'd 1: 6 7'])
  })

  test('when impressions list the same history then it is stored once', async () => {
    const rowsOf = Array.from(
      { length: 30 },
      (_, i) => `('a', ${i}, 1, ${i}, ${i % 3 === 2 ? '[7, 8]' : '[5, 6, 7, 8]'})`,
    )
    const impressions = await rows('i', 'user_id, item_id, label, ts, seen', ...rowsOf)
    const all = await read({ impressions, columns: { ...columns, history: 'seen' }, length: 3 })
    const { behaviorItem, historyStart, historyEnd } = all.impressions
    assert.equal(behaviorItem.length, 5)
    const lengths = historyEnd.read().map((end, i) => end - historyStart.read()[i])
    assert.deepEqual([...lengths.subarray(0, 4)], [3, 3, 2, 3])
  })

  test('when ids are beyond 2^53 or strings then neighbors stay apart', async () => {
    const big = 2n ** 53n
    const impressions = await rows('i', impression, `(${big}, ${big + 3n}, 1, 9)`, `(${big + 1n}, ${big + 3n}, 0, 9)`)
    const behaviors = await rows(
      'b',
      behavior,
      `(${big}, ${big + 1n}, 'click', 1)`,
      `(${big + 1n}, ${big + 2n}, 'click', 1)`,
    )
    assert.deepEqual(await histories({ impressions, behaviors }), [
      `${big} ${big + 3n}: ${big + 1n}`,
      `${big + 1n} ${big + 3n}: ${big + 2n}`,
    ])
    const texts = await rows('i', impression, "('007', 'x', 1, 9)", "('7', 'x', 0, 9)")
    const clicks = await rows('b', behavior, "('007', '1', 'click', 1)", "('7', '01', 'click', 1)")
    assert.deepEqual(await histories({ impressions: texts, behaviors: clicks }), ['007 x: 1', '7 x: 01'])
  })

  const moments = ['2024-02-29 23:59:59', '2024-03-01 00:00:00', '2024-03-01 00:00:01']
  const encodings: [string, TimeUnit, (time: string) => string][] = [
    ['seconds', 's', (t) => `epoch(TIMESTAMP '${t}')::BIGINT`],
    ['seconds of 32 bits', 's', (t) => `epoch(TIMESTAMP '${t}')::INTEGER`],
    ['milliseconds', 'ms', (t) => `epoch_ms(TIMESTAMP '${t}')`],
    ['microseconds', 'us', (t) => `epoch_us(TIMESTAMP '${t}')`],
    ['nanoseconds', 'ns', (t) => `epoch_ns(TIMESTAMP '${t}')`],
    ['nanoseconds without a sign', 'ns', (t) => `epoch_ns(TIMESTAMP '${t}')::UBIGINT`],
    ['decimals', 's', (t) => `epoch(TIMESTAMP '${t}')::DECIMAL(38, 0)`],
    ['fractions', 's', (t) => `epoch(TIMESTAMP '${t}')::DOUBLE`],
    ['decimal fractions', 'ms', (t) => `epoch_ms(TIMESTAMP '${t}')::DECIMAL(18, 3)`],
    ['texts', 'us', (t) => `'${t}'`],
    ['texts with a T', 'us', (t) => `'${t.replace(' ', 'T')}.000'`],
    ['timestamps', 'us', (t) => `TIMESTAMP '${t}'`],
    ['timestamps of milliseconds', 's', (t) => `TIMESTAMP_MS '${t}'`],
    ['timestamps of nanoseconds', 'ms', (t) => `TIMESTAMP_NS '${t}'`],
    ['timestamps with a zone', 'us', (t) => `TIMESTAMPTZ '${t}+00'`],
  ]
  for (const [name, timeUnit, sql] of encodings) {
    test(`when times are ${name} then a history ends strictly before the impression`, async () => {
      // The other table has timestamps: the two need not agree.
      const other = (time: string) => (sql(time).startsWith('TIMESTAMPTZ') ? sql(time) : `TIMESTAMP '${time}'`)
      for (const [ofImpressions, ofBehaviors] of [
        [sql, other],
        [other, sql],
      ]) {
        const shown = moments.map((t, i) => `('a', ${i}, 1, ${ofImpressions(t)})`)
        const clicked = moments.map((t, i) => `('a', ${10 + i}, 'click', ${ofBehaviors(t)})`)
        const [impressions, behaviors] = [await rows('i', impression, ...shown), await rows('b', behavior, ...clicked)]
        for (const unit of [timeUnit, 'auto'] as const) {
          const found = await histories({ impressions, behaviors, timeUnit: unit })
          assert.deepEqual(found, ['a 0:', 'a 1: 10', 'a 2: 10 11'])
        }
      }
    })
  }

  test('when user ids are of different types in the two tables then the run is refused', async () => {
    const impressions = await rows('i', impression, '(1, 1, 1, 9)')
    const behaviors = await rows('b', behavior, "('1', 1, 'click', 1)")
    await assert.rejects(histories({ impressions, behaviors }), { id: 'id-types' })
  })
})
