import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { loadItems } from '../../src/data/items/items.js'
import { literal } from '../../src/data/tables/duckdb.js'
import { mim } from '../commands/cli.js'
import { behaviorColumns, positivesOf, sourceDefaults } from '../data/tables.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'

const [db, root] = [await openDatabase(), await temporaryFolder()]
const out = join(root, 'searches')
const make = (folder: string, ...more: string[]) => mim(['sample', '--out', folder, '--behaviors', '20000', ...more])
const table = (name: string, folder = out) => `read_parquet(${literal(join(folder, `${name}.parquet`))})`

describe('Large logs of searches', () => {
  before(async () => {
    const { code, stderr } = await make(out)
    assert.equal(code, 0, stderr)
  })

  test('when behaviors are asked for then there are so many, in the order of time but for what follows a click', async () => {
    const found = await db.row(
      `SELECT count(*) AS rows, count(*) FILTER (item_id NOT IN (SELECT item_id FROM ${table('items')})) AS unknown,
         count(DISTINCT action) AS actions, count(DISTINCT (request_id, item_id)) = count(*) FILTER (action = 'expose') AS once
       FROM ${table('behaviors')}`,
    )
    assert.deepEqual(found, { rows: 20_000n, unknown: 0n, actions: 3n, once: true })
  })

  test('when the seed is the same then so are the rows, and another one gives others', async () => {
    const digest = (folder: string) => db.row(`SELECT bit_xor(hash(b)) AS digest FROM ${table('behaviors', folder)} b`)
    const [again, other] = [join(root, 'again'), join(root, 'other')]
    for (const [folder, seed] of [
      [again, '1'],
      [other, '2'],
    ])
      assert.equal((await make(folder, '--seed', seed)).code, 0)
    assert.deepEqual(await digest(again), await digest(out))
    assert.notDeepEqual(await digest(other), await digest(out))
  })

  test('when pairs are built from it then queries and sessions are there, and clicks follow the color', async () => {
    const items = await loadItems(db, join(out, 'items.parquet'), {
      id: 'item_id',
      title: 'title',
      image: 'image',
      category: 'category',
    })
    const { positives } = await positivesOf(db, items, {
      path: join(out, 'behaviors.parquet'),
      columns: behaviorColumns,
      timeUnit: 'auto',
      timeZone: null,
      sources: ['query-purchase', 'query-click', 'session'],
      ...sourceDefaults,
      sessionMinutes: 30,
      split: { train: 0.7, valid: 0.1 },
    })
    assert.ok(
      Object.values(positives.bySource).every((pairs) => pairs > 50),
      JSON.stringify(positives.bySource),
    )
    const { wanted, other } = await db.row<{ wanted: number; other: number }>(
      `WITH rows AS (SELECT action, split_part(query_text, ' ', 1) = split_part(title, ' ', 1) AS is_wanted
         FROM ${table('behaviors')} JOIN ${table('items')} USING (item_id) WHERE query_text IS NOT NULL AND action <> 'purchase')
       SELECT avg(CAST(action = 'click' AS INT)) FILTER (is_wanted) AS wanted,
         avg(CAST(action = 'click' AS INT)) FILTER (NOT is_wanted) AS other FROM rows`,
    )
    assert.ok(wanted > 2 * other, `${wanted} against ${other}`)
  })

  for (const [flags, id] of [
    [['--behaviors', '0'], 'sample-size'],
    [['--behaviors', '9', '--size', 'tiny'], 'option-conflict'],
    [['--behaviors', '9', '--impressions', '9'], 'option-conflict'],
  ] as const) {
    test(`when sample is called with ${flags.join(' ')} then ${id}`, async () => {
      const { code, stderr } = await mim(['sample', '--out', join(root, 'none'), ...flags])
      assert.equal(code, 2)
      assert.match(stderr, new RegExp(`^error \\[${id}\\]: `))
    })
  }
})
