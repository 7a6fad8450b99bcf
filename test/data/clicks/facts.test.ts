import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { addLogFacts } from '../../../src/data/choices/facts.js'
import { BehaviorLog } from '../../../src/data/choices/log.js'
import { addClickFacts } from '../../../src/data/clicks/facts.js'
import { openClicks } from '../../../src/data/clicks/tables.js'
import { DataFacts } from '../../../src/data/facts.js'
import { loadItems } from '../../../src/data/items/items.js'
import { openTables, plainPositives } from '../tables.js'

const { db, folder, rows } = await openTables()

const impressions = await rows(
  'impressions',
  'user_id, item_id, label, ts, page, price',
  "('a', 1, 1, 1700000000, 'home', 2.5)",
  "('a', 2, 0, 1700000060, 'home', 3.5)",
  "('b', 2, 0, 1700000120, 'shop', 3.5)",
  "('c', 3, 0, 1700000180, 'shop', 1.5)",
)
const behaviors = await rows(
  'behaviors',
  'user_id, item_id, action, ts',
  "('a', 1, 'click', 1699990000)",
  "('a', 1, 'purchase', 1699990060)",
  "('b', 3, 'click', 1699990120)",
  "('b', 3, 'wish', 1699990180)",
)
const items = await rows('items', 'item_id, title, category', "(1, 'hat', 'x')", "(2, 'bag', 'x')", "(3, 'mug', 'y')")

test('when click tables are opened then their facts are counts, span, click rate, actions and columns', async () => {
  const facts = new DataFacts()
  const columns = { user: 'user_id', item: 'item_id', label: 'label', time: 'ts', action: 'action', history: null }
  const sources = { columns, impressions, behaviors, items, timeUnit: 'auto', timeZone: null } as const
  const features = {
    user: true,
    items: [{ kind: 'category', name: null, column: 'category', table: null, minCount: null }],
    context: [{ kind: 'category', name: null, column: 'page', table: null, minCount: null }],
    history: [],
  } as const
  const history = { actions: ['click'], length: 5, padding: null }
  await addClickFacts(db, { data: { columns }, features, history }, await openClicks(db, sources, facts), facts)
  const times = 'seconds since 1970 (inferred)'
  assert.deepEqual(facts.tables, [
    {
      ...{ table: 'impressions', path: impressions, rows: 4, users: 3, items: 3, click_rate: 0.25 },
      ...{ from: '2023-11-14T22:13:20Z', to: '2023-11-14T22:16:20Z', times },
      ...{ used: ['user_id', 'item_id', 'label', 'ts', 'page'], unused: ['price'] },
    },
    {
      ...{ table: 'behaviors', path: behaviors, rows: 4, users: 2, items: 2 },
      ...{ from: '2023-11-14T19:26:40Z', to: '2023-11-14T19:29:40Z', times },
      ...{ actions: { click: 2, purchase: 1, wish: 1 }, used: ['user_id', 'item_id', 'action', 'ts'], unused: [] },
    },
    { table: 'items', path: items, rows: 3, used: ['item_id', 'category'], unused: ['title'] },
  ])
  assert.match(facts.notes.join('\n'), /not in history\.actions \(click\): 1 purchase, 1 wish/)
})

test('when the log of C-SFT is opened then its facts name the actions that are no choice', async () => {
  const facts = new DataFacts()
  const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }
  const options = { ...plainPositives, path: behaviors, sessionMinutes: 30, split: { train: 0.5, valid: 0.25 } }
  const log = await BehaviorLog.open(db, await loadItems(db, items, columns, facts), options, facts)
  await addLogFacts(log, facts)
  assert.deepEqual(
    facts.tables.map(({ table, rows, users, used }) => ({ table, rows, users, used })),
    [
      { table: 'items', rows: 3, users: undefined, used: ['item_id', 'title', 'category'] },
      { table: 'behaviors', rows: 4, users: 2, used: ['user_id', 'item_id', 'action', 'ts'] },
    ],
  )
  assert.match(facts.notes.join('\n'), /no column 'image': titles alone/)
  assert.match(facts.notes.join('\n'), /count as impressions without a choice: 1 wish/)
})

test('when actions have other names than those of C-SFT then a warning says which are meant', async () => {
  const facts = new DataFacts()
  const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }
  const path = await rows(
    'named',
    'user_id, item_id, action, ts',
    "('a', 1, 'click', 1699990000)",
    "('a', 1, 'Buy', 1699990060)",
    "('b', 3, 'add_to_cart', 1699990120)",
    "('b', 3, 'expose', 1699990180)",
  )
  const options = { ...plainPositives, path, sessionMinutes: 30, split: { train: 0.5, valid: 0.25 } }
  await addLogFacts(await BehaviorLog.open(db, await loadItems(db, items, columns), options, facts), facts)
  const [warning] = facts.warnings
  assert.equal(warning.id, 'actions-unknown')
  assert.match(warning.what, /1 Buy, 1 add_to_cart, 1 expose$/)
  assert.match(warning.remedy!, /did you mean purchase, cart\?/)
})

test('when a file of a table lacks a column in use then a warning names both', async () => {
  for (const name of ['clicks', 'log', 'goods']) await mkdir(join(folder, name))
  await rows('clicks/a', 'user_id, item_id, label, ts, page, price', "('a', 1, 1, 1700000000, 'home', 2.5)")
  const bare = ["('b', 2, 0, 1700000060)", "('c', 2, 1, 1700000060)"]
  for (const [i, row] of bare.entries()) await rows(`clicks/b${i}`, 'user_id, item_id, label, ts', row)
  await rows('log/a', 'user_id, item_id, action, ts, query_text', "('a', 1, 'click', 1699990000, 'hats')")
  await rows('log/b', 'user_id, item_id, action, ts', "('a', 2, 'click', 1699990060)")
  await rows('goods/a', 'item_id, title, category', "(1, 'hat', 'x')")
  await rows('goods/b', 'item_id, title', "(2, 'bag')")
  const columns = { user: 'user_id', item: 'item_id', label: 'label', time: 'ts', action: 'action', history: null }
  const paths = { impressions: join(folder, 'clicks'), behaviors: join(folder, 'log'), items: join(folder, 'goods') }
  const category = { kind: 'category', name: null, table: null, minCount: null } as const
  const features = {
    ...{ user: true, history: [] },
    items: [{ ...category, column: 'category' }],
    context: [{ ...category, column: 'page' }],
  }
  const history = { actions: ['click'], length: 5, padding: null }
  const partial = (facts: DataFacts) => facts.warnings.filter(({ id }) => id === 'column-parts')
  const facts = new DataFacts()
  const opened = await openClicks(db, { ...paths, columns, timeUnit: 'auto', timeZone: null }, facts)
  await addClickFacts(db, { data: { columns }, features, history }, opened, facts)
  assert.deepEqual(
    partial(facts).map(({ where, what }) => [where, what]),
    [
      [
        `${paths.impressions}: column 'page'`,
        `${paths.impressions}/b0.parquet and 1 other file lack it: rows there are null`,
      ],
      [`${paths.items}: column 'category'`, `${paths.items}/b.parquet lacks it: rows there are null`],
    ],
  )
  const ofLog = new DataFacts()
  const named = { id: 'item_id', title: 'title', image: 'image', category: 'category' }
  const options = { ...plainPositives, path: paths.behaviors, sessionMinutes: 30, split: { train: 0.5, valid: 0.25 } }
  const log = await BehaviorLog.open(db, await loadItems(db, paths.items, named, ofLog), options, ofLog)
  await addLogFacts(log, ofLog)
  assert.deepEqual(
    partial(ofLog).map(({ where }) => where),
    [`${paths.items}: column 'category'`, `${paths.behaviors}: column 'query_text'`],
  )
})
