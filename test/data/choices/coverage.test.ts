/** The join of the behavior log of mim sft with the catalogue. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkBehaviors } from '../../../src/data/choices/coverage.js'
import { BehaviorLog } from '../../../src/data/choices/log.js'
import { DataFacts } from '../../../src/data/facts.js'
import { loadItems } from '../../../src/data/items/items.js'
import { assertRefused } from '../../errors/refused.js'
import { behaviorColumns, openTables, plainPositives } from '../tables.js'

const { db, write } = await openTables()
const itemsPath = await write('items', "SELECT 1000 + i || '' AS item_id, 'title' AS title FROM range(20) r(i)")

/** Facts of a log of 90 clicks and 10 purchases; `item` is SQL of the item of behavior i. */
async function check(item: string, least = 0.5): Promise<DataFacts> {
  const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }
  const items = await loadItems(db, itemsPath, columns)
  const path = await write(
    'behaviors',
    `SELECT 'u' AS user_id, ${item} AS item_id, CASE WHEN i < 90 THEN 'click' ELSE 'purchase' END AS action, TIMESTAMP '2024-03-01' + to_seconds(i) AS ts FROM range(100) r(i)`,
  )
  const facts = new DataFacts()
  const log = await BehaviorLog.open(
    db,
    items,
    {
      ...{ path, columns: behaviorColumns, sessionMinutes: 30, split: { train: 0.7, valid: 0.1 } },
      ...plainPositives,
    },
    facts,
  )
  await checkBehaviors(log, items, { facts, least, stops: true })
  return facts
}

test('when all items are known then the joins are facts and nothing is warned of', async () => {
  const { joins, warnings } = await check("1000 + i % 20 || ''")
  assert.deepEqual(joins, [
    { join: 'behaviors → items', matched: 100, of: 100 },
    { join: 'click behaviors → items', matched: 90, of: 90 },
    { join: 'purchase behaviors → items', matched: 10, of: 10 },
  ])
  assert.deepEqual(warnings, [])
})

test('when no behavior is of the catalogue then training stops with the likely cause', async () => {
  await assertRefused(
    () => check("1000 + i % 20 || '.0'"),
    'join-empty',
    /none of 100 found; not found: '1000\.0'.*'1000'/,
  )
  await assertRefused(() => check("5000 + i % 20 || ''"), 'join-empty', /'5000'.*items\.parquet: '1000'/)
})

test('when half of the ids keep their zeros then it is warned of, with ids of both sides', async () => {
  const { joins, warnings } = await check("CASE WHEN i % 3 = 0 THEN '0000' ELSE '' END || 1000 + i % 20")
  assert.deepEqual(joins[0], { join: 'behaviors → items', matched: 66, of: 100 })
  assert.equal(joins.length, 3)
  assert.deepEqual(
    warnings.map(({ id }) => id),
    ['join-partial'],
  )
  assert.match(warnings[0].what, /66\.0 % of 100 found; not found: '00001000'.*'1000'.*likely cause: leading zeros/)
})

test('when purchases alone do not match then it is warned of although most behaviors match', async () => {
  const { joins, warnings } = await check("CASE WHEN i < 90 THEN '1' ELSE '7' END || '0' || 10 + i % 10")
  assert.deepEqual(joins.at(-1), { join: 'purchase behaviors → items', matched: 0, of: 10 })
  assert.deepEqual(
    warnings.map(({ id, what }) => [id, what.split(':')[0]]),
    [['join-empty', 'purchase behaviors → items']],
  )
})

test('when the catalogue lacks most items then data.minCoverage decides whether it is warned of', async () => {
  const item = "1000 + 7 * i % 60 || ''"
  assert.deepEqual(
    (await check(item)).warnings.map(({ id }) => id),
    ['join-partial'],
  )
  assert.deepEqual((await check(item, 0)).warnings, [])
})
