import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ClickOptions, planClicks } from '../../../src/data/clicks/plan.js'
import type { ClickTables } from '../../../src/data/clicks/tables.js'
import type { Table } from '../../../src/data/tables/contract.js'

/** A table that is not there: planning reads nothing. */
const table = (path: string, columns: Record<string, string>): Table => ({
  path,
  files: '',
  source: path,
  placed: path,
  columns: new Map(Object.entries(columns)),
  repeated: new Set(),
  partial: [],
  names: Object.keys(columns),
  used: [],
  rows: 3,
})

const ids = { user_id: 'VARCHAR', item_id: 'BIGINT' }
const impressions = table('impressions', { ...ids, label: 'TINYINT', ts: 'BIGINT', city: 'VARCHAR', seen: 'BIGINT[]' })
const behaviors = table('behaviors', { ...ids, action: 'VARCHAR', ts: 'BIGINT', city: 'VARCHAR' })
const items = table('items', { item_id: 'BIGINT', city: 'VARCHAR', price: 'DOUBLE' })

const columns = { user: 'user_id', item: 'item_id', label: 'label', time: 'ts', action: 'action', history: null }
const category = { kind: 'category' as const, name: null, column: 'city', table: 'place', minCount: null }
const ofBehaviors = {
  kind: 'category' as const,
  name: 'where',
  column: 'city',
  target: 'city',
  table: 'place',
  minCount: null,
}
const options: ClickOptions = {
  data: { columns },
  history: { actions: ['click'], length: 5, padding: null },
  features: { user: true, items: [], context: [category], history: [ofBehaviors] },
}
const plan = (changes: Partial<ClickOptions> = {}, tables: Partial<ClickTables> = {}) =>
  planClicks({ ...options, ...changes }, { impressions, paths: ['impressions'], isSplit: false, behaviors, ...tables })

describe('Plans of impressions', () => {
  test('when features share an embedding table then their values are numbered together', () => {
    const { texts } = plan().numbers
    assert.deepEqual(Object.keys(texts), ['place'])
    const sources = texts['place'].query.match(/FROM (impressions|behaviors) t/g)
    assert.deepEqual(sources, ['FROM impressions t', 'FROM impressions t', 'FROM behaviors t'])
  })

  test('when behavior features have a target then it is a column of impressions after those of the context', () => {
    const { impressions, behaviors, targets } = plan()
    assert.deepEqual(
      targets.map(({ name }) => name),
      ['where'],
    )
    const base = { usr: 'int32', item: 'int32', label: 'uint8', ts: 'float64' }
    assert.deepEqual(impressions.kinds, { ...base, feature_0_0: 'int32', feature_1_0: 'int32' })
    assert.deepEqual(behaviors?.kinds, { usr: 'int32', item: 'int32', ts: 'float64', feature_0_0: 'int32' })
  })

  test('when histories are listed then no behaviors are read', () => {
    const features = { ...options.features, history: [] }
    const listed = { features, data: { columns: { ...columns, history: 'seen' } } }
    const { impressions, behaviors, numbers } = plan(listed, { behaviors: undefined })
    assert.equal(behaviors, undefined)
    assert.match(impressions.sql, /t\."seen" AS list_0/)
    assert.match(numbers.items.query, /unnest\("seen"\)/)
  })

  test('when items have features then items of the catalogue have numbers, and numbers of items are read as such', () => {
    const price = { kind: 'number' as const, name: null, column: 'price', transform: 'none' as const }
    const features = { ...options.features, items: [price] }
    const made = plan({ features }, { items })
    assert.match(made.numbers.items.query, /FROM items/)
    assert.deepEqual(made.items?.kinds, { feature_0_0: 'float32' })
  })

  test('when columns do not fit then planning refuses them by their name', () => {
    const refused = (id: string, features: Partial<ClickOptions['features']>, tables: Partial<ClickTables> = {}) =>
      assert.throws(() => plan({ features: { ...options.features, ...features } }, tables), { id })
    refused('column-missing', { context: [{ ...category, column: 'town' }] })
    refused('column-type', { context: [{ ...category, column: 'seen' }] })
    refused('feature-names', { context: [category, category] })
    refused('feature-gap', { history: [{ kind: 'gap' }] }, { behaviors: undefined })
    refused(
      'id-types',
      {},
      { behaviors: table('other', { ...ids, item_id: 'VARCHAR', city: 'VARCHAR', ts: 'BIGINT' }) },
    )
  })
})
