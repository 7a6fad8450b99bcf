import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeClicks } from '../../../src/data/clicks/dataset.js'
import type { Impressions } from '../../../src/data/clicks/read.js'
import { vocabulary } from '../../../src/data/clicks/vocabulary.js'
import { columnOf } from '../../../src/data/tables/column.js'
import { paddingRow, unknownRow } from '../../../src/ops/tableRows.js'
import { numbersOf, plainImpressions, textColumn } from './featureColumns.js'

/**
 * Ten impressions: seven train, one validates, two test. Behaviors 0 to 2 are seen by training impressions,
 * behavior 3 lies between two histories, behavior 4 is seen by the test only.
 */
const page = textColumn('page', ['home', 'home', 'list', null, 'home', 'home', 'list', 'cart', 'home', 'cart'])
const impressions: Impressions = {
  ...plainImpressions,
  rows: 10,
  user: columnOf(Int32Array.of(0, 0, 0, 1, 1, 1, 1, 0, 2, 2)),
  item: columnOf(Int32Array.of(0, 0, 1, 1, 0, 1, 0, 6, 7, 0)),
  label: columnOf(new Uint8Array(10)),
  behaviorItem: columnOf(Int32Array.of(2, 3, 2, 4, 5)),
  historyStart: columnOf(Int32Array.of(0, 0, 0, 0, 2, 2, 2, 0, 0, 4)),
  historyEnd: columnOf(Int32Array.of(0, 1, 2, 2, 3, 3, 3, 2, 0, 5)),
  users: 3,
  items: 9,
  context: [page.column],
}
// Item 2 is in training histories only, item 5 in those of the test only, item 8 nowhere.
const category = textColumn('category', ['a', 'a', 'b', 'c', 'd', 'd', 'e', null, 'a'])

const clicks = { impressions, items: [category.column], numbers: numbersOf(impressions, page, category) }
const build = (minCount = 1) =>
  encodeClicks(clicks, undefined, { split: { train: 0.7, valid: 0.1 }, user: true, minCount })
const itemFeature = (name: string, minCount?: number) =>
  build(minCount).itemFeatures.find((feature) => feature.name === name)!
const impressionFeature = (name: string) => {
  const { rowOf, size } = build().impressionFeatures.find((feature) => feature.name === name)!
  return { rowOf: rowOf.read(), size }
}

describe('Data sets of the click model', () => {
  test('when impressions are split then parts follow one another in time', () => {
    assert.deepEqual(build().split, {
      train: { from: 0, to: 7 },
      valid: { from: 7, to: 8 },
      test: { from: 8, to: 10 },
    })
  })

  test('when an item is in no training impression and no history of one then it is unknown', () => {
    const { rowOf, size } = itemFeature('item')
    const known = [0, 1, 2, 3]
    assert.equal(new Set(known.map((item) => rowOf[item])).size, known.length)
    for (const item of known) assert.ok(rowOf[item] > unknownRow && rowOf[item] < size, `item ${item}`)
    for (const item of [4, 5, 6, 7, 8]) assert.equal(rowOf[item], unknownRow, `item ${item}`)
    assert.equal(size, unknownRow + 1 + known.length)
  })

  test('when a category, a user or a context value is new after training then it is unknown', () => {
    const categories = itemFeature('category')
    assert.equal(categories.rowOf[0], categories.rowOf[8], 'a known category of an item that is not known')
    assert.equal(new Set([0, 2, 3].map((item) => categories.rowOf[item])).size, 3)
    for (const item of [4, 5, 6, 7]) assert.equal(categories.rowOf[item], unknownRow, `item ${item}`)
    assert.equal(categories.size, unknownRow + 1 + 3)

    const user = impressionFeature('user')
    assert.deepEqual([...user.rowOf], [2, 2, 2, 3, 3, 3, 3, 2, unknownRow, unknownRow])
    const page = impressionFeature('page')
    assert.equal(page.size, unknownRow + 1 + 2)
    assert.deepEqual([page.rowOf[3], page.rowOf[7], page.rowOf[9]], [unknownRow, unknownRow, unknownRow])
    assert.equal(page.rowOf[8], page.rowOf[0])
  })

  test('when an id is rarer than minCount then it is unknown', () => {
    // Item 2 is clicked twice in training histories, item 3 once.
    const { rowOf } = itemFeature('item', 2)
    assert.ok(rowOf[2] > unknownRow)
    assert.equal(rowOf[3], unknownRow)
  })

  test('when impressions of an item are counted then only those of training are', () => {
    assert.deepEqual([...build().trainCount], [4, 3, 0, 0, 0, 0, 0, 0, 0])
  })

  test('when a vocabulary is made then no number shares the row of padding', () => {
    const { rowOf, size } = vocabulary(Int32Array.of(1, 0, 2), 1)
    assert.deepEqual([...rowOf], [2, unknownRow, 3])
    assert.equal(size, 4)
    assert.ok(!rowOf.includes(paddingRow))
  })
})
