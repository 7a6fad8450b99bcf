import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countChoices } from '../../../src/data/choices/coOccurrence.js'
import { parts } from '../../../src/data/choices/log.js'
import { queryKinds } from '../../../src/data/choices/sources/source.js'
import { loadItems } from '../../../src/data/items/items.js'
import { rankByCounts } from '../../../src/stages/sft/baselines.js'
import { openTables, plainPositives, positivesOf } from '../tables.js'

const { db, write, rows } = await openTables()
const catalogue = await write('items', 'SELECT i AS item_id FROM range(6) r(i)')
const items = await loadItems(db, catalogue, { id: 'item_id', title: 'title', image: 'image', category: 'category' })

const path = await rows(
  'behaviors',
  'user_id, item_id, action, ts, request_id, query_text',
  // Sessions {0, 1, 2}, {0, 1} and {3, 4} of the training part; ts are minutes.
  "('u', 0, 'click', 0, 'r1', 'hat')",
  "('u', 1, 'click', 1, 'r1', 'hat')",
  "('u', 2, 'click', 2, NULL, NULL)",
  "('v', 1, 'click', 5, 'r2', 'hat')",
  "('v', 0, 'click', 6, NULL, NULL)",
  "('w', 3, 'click', 7, NULL, NULL)",
  "('w', 4, 'click', 8, NULL, NULL)",
  // The test part: choices that must not count.
  "('x', 0, 'click', 1000, NULL, NULL)",
  "('x', 2, 'click', 1001, NULL, NULL)",
  "('y', 5, 'click', 1002, 'r3', 'hat')",
)

test('when counts find items then by choices of the training part alone, ties sharing their places', async () => {
  const { log, positives } = await positivesOf(db, items, {
    path,
    ...plainPositives,
    sessionMinutes: 1,
    split: { train: 0.75, valid: 0.05 },
  })
  const pairs = Int32Array.from(positives.part.keys()).filter((i) => positives.part[i] === parts.test)
  const counts = await countChoices(log, positives, pairs, 6)
  assert.deepEqual([...counts.popularity], [2, 2, 1, 1, 1, 0])
  // Pair by pair: item 0 is the query of 2, 'hat' is the query of 5.
  assert.deepEqual(
    Array.from(pairs, (i) => [...counts.together(queryKinds[positives.kind[i]], positives.query[i])]),
    [
      [0, 2, 1, 0, 0, 0],
      [1, 2, 0, 0, 0, 0],
    ],
  )
  const { popularity, cooccurrence } = rankByCounts(positives, pairs, counts)
  const ranks = (found: typeof popularity) => Object.fromEntries(found.map((one) => [one.kind, [...one.ranks]]))
  // Item 0 does not compete where it is the query: 1 is above 2, which ties with 3 and 4.
  assert.deepEqual(ranks(popularity), { text: [5], product: [2] })
  assert.deepEqual(ranks(cooccurrence), { text: [5], product: [1] })
})
