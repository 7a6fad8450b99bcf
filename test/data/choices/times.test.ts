import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataFacts } from '../../../src/data/facts.js'
import { loadItems } from '../../../src/data/items/items.js'
import { openTables, plainPositives, positivesOf } from '../tables.js'

const { db, write } = await openTables()
const catalogue = await write('items', 'SELECT i AS item_id FROM range(6) r(i)')
const items = await loadItems(db, catalogue, { id: 'item_id', title: 'title', image: 'image', category: 'category' })

/** Parts and targets of the pairs of a log with a click each ten minutes, and what was warned of. */
async function pairsOf(name: string, time: string, timeUnit: 'auto' | 'us' = 'auto') {
  const path = await write(
    name,
    `SELECT 'u' || (i // 4) AS user_id, i % 6 AS item_id, 'click' AS action, ${time} AS ts
     FROM (SELECT i, 1709251200 + 600 * i AS s FROM range(24) r(i))`,
  )
  const facts = new DataFacts()
  const options = { path, ...plainPositives, timeUnit, sessionMinutes: 30, split: { train: 0.5, valid: 0.25 } }
  const { log, positives } = await positivesOf(db, items, options, undefined, facts)
  const { part, target } = positives
  return { pairs: [[...part], [...target]], from: log.time.from, warnings: facts.warnings.map(({ id }) => id) }
}

test('when the times of a log are stored in another way then sessions, parts and pairs are the same', async () => {
  const expected = await pairsOf('stamps', 'make_timestamp(s * 1000000)')
  assert.equal(expected.pairs[0].length, 18)
  const encodings = { s: 's', ms: 's * 1000', us: 's * 1000000', ns: 's * 1000000000', float: 's::DOUBLE' }
  for (const [name, time] of Object.entries(encodings)) assert.deepEqual(await pairsOf(name, time), expected, name)
  const text = await pairsOf('text', 'strftime(make_timestamp(s * 1000000), $$%Y-%m-%dT%H:%M:%SZ$$)')
  assert.deepEqual(text, expected)
})

test('when the unit of a log is given wrongly then a warning says which years it gives', async () => {
  const { from, warnings } = await pairsOf('wrong', 's', 'us')
  assert.deepEqual([from, warnings], ['1970-01-01T00:28:29.251Z', ['time-range']])
})
