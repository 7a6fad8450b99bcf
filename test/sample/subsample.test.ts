import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { literal } from '../../src/data/tables/duckdb.js'
import { generateSample, subsample } from '../../src/sample/index.js'
import { sharedFile } from '../fixtures.js'
import { openDatabase, temporaryFolder } from './folders.js'

const root = await temporaryFolder()
const db = await openDatabase()

const table = (folder: string, name: string) => `read_parquet(${literal(join(folder, `${name}.parquet`))})`
const count = (rows: string) => db.count(rows)
const describe = (scan: string) => db.rows(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${scan})`)

/** All rows of the chosen users are there as they were, in their order, and no others; no item they name is missing. */
async function checkLog(from: string, out: string, name: string): Promise<void> {
  const [before, after] = [table(from, name), table(out, name)]
  assert.deepEqual(await describe(after), await describe(before))
  await db.run(`CREATE OR REPLACE TABLE users AS SELECT DISTINCT user_id FROM ${after}`)
  const numbered = 'SELECT *, row_number() OVER (ORDER BY file_row_number)'
  const kept = `${numbered} FROM ${before} WHERE user_id IN (FROM users)`
  const written = `${numbered} FROM ${after}`
  assert.equal(await count(`(${kept} EXCEPT ALL ${written})`), 0)
  assert.equal(await count(`(${written} EXCEPT ALL ${kept})`), 0)
  assert.equal(await count(`${after} WHERE item_id NOT IN (SELECT item_id FROM ${table(out, 'items')})`), 0)
}

test('when a generated sample is cut then its users keep all events and no id dangles', async () => {
  const from = join(root, 'tiny')
  const out = join(root, 'cut')
  await generateSample({ out: from, size: 'tiny', seed: 1 })
  const { summary } = await subsample({ from, users: 7, out, seed: 4, otherItems: 0.5 })
  await checkLog(from, out, 'behaviors')
  await checkLog(from, out, 'impressions')
  assert.equal(summary.users, 7)
  assert.equal(await count(`(SELECT DISTINCT user_id FROM ${table(out, 'impressions')})`), 7)
  assert.deepEqual(await describe(table(out, 'items')), await describe(table(from, 'items')))
  assert.equal(await count(`(FROM ${table(out, 'items')} EXCEPT FROM ${table(from, 'items')})`), 0)

  const touched = await count(`(SELECT DISTINCT item_id FROM ${table(out, 'behaviors')})`)
  assert.equal(summary.items, touched + Math.round((120 - touched) / 2))
  const photos = await db.columns(
    `SELECT DISTINCT query_image AS path FROM ${table(out, 'behaviors')} WHERE path IS NOT NULL`,
    { path: 'string' },
  )
  assert.equal(summary.pictures, photos.rows)
  for (const path of photos.path) assert.ok(existsSync(join(out, path!)))
})

test('when tables have columns named like those of DuckDB then the cut has them, and its rows in order', async () => {
  const from = join(root, 'named')
  await mkdir(join(from, 'impressions'), { recursive: true })
  const own = "'p.jpg' AS filename, -i AS file_row_number, 'x' AS file_index"
  const write = (path: string, query: string) => db.run(`COPY (${query}) TO '${join(from, path)}'`)
  await write('items.parquet', `SELECT i AS item_id, ${own} FROM range(20) r(i)`)
  const rows = (from: number) => `SELECT i % 3 AS user_id, i AS item_id, ${own} FROM range(${from}, ${from + 10}) r(i)`
  await write('impressions/a.parquet', rows(10))
  await write('impressions/b.parquet', rows(0))
  await write('impressions/_old.parquet', rows(0))
  await subsample({ from, users: 3, out: join(root, 'named cut'), seed: 1 })
  const cut = table(join(root, 'named cut'), 'impressions')
  assert.deepEqual(await describe(cut), await describe(`'${join(from, 'impressions/a.parquet')}'`))
  const { item } = await db.columns(`SELECT item_id AS item FROM ${cut}`, { item: 'int32' })
  assert.deepEqual([...item], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('when the folder holds the very cut then it is left as it is, until the source changes', async () => {
  const from = join(root, 'tiny')
  const options = { from, users: 3, out: join(root, 'kept'), seed: 1 }
  const { summary, isNew } = await subsample(options)
  assert.equal(isNew, true)
  assert.deepEqual(await subsample(options), { summary, isNew: false })
  await assert.rejects(subsample({ ...options, users: 4 }), { id: 'out-exists' })
  await utimes(join(from, 'items.parquet'), 0, 0)
  await assert.rejects(subsample(options), { id: 'out-exists' })
})

test('when the seed is the same then so are the users, with another seed they differ', async () => {
  const from = join(root, 'tiny')
  const usersOf = async (name: string, seed: number) => {
    await subsample({ from, users: 5, out: join(root, name), seed })
    return db.rows(`SELECT DISTINCT user_id FROM ${table(join(root, name), 'impressions')} ORDER BY ALL`)
  }
  const first = await usersOf('first', 1)
  assert.deepEqual(await usersOf('second', 1), first)
  assert.notDeepEqual(await usersOf('third', 2), first)
})

/** String ids, list-valued histories, pictures as paths, parts, extra columns, no behaviors. */
async function makeForeign(from: string): Promise<void> {
  await mkdir(join(from, 'items', 'photos'), { recursive: true })
  await mkdir(join(from, 'impressions', 'day=1'), { recursive: true })
  await mkdir(join(from, 'impressions', 'day=2'), { recursive: true })
  await writeFile(join(from, 'items', 'photos', 'shared.png'), 'shared')
  await writeFile(join(from, 'beside.png'), 'beside')
  const copy = (select: string, path: string) => db.run(`COPY (${select}) TO ${literal(join(from, path))}`)
  const item = (range: string) =>
    `SELECT 'sku-' || i AS item_id, 'title ' || i AS title, CASE i % 4 WHEN 0 THEN 'photos/shared.png' WHEN 1 THEN
       '../beside.png' WHEN 2 THEN 'photos/lost.png' ELSE 'https://example.com/x.png' END AS image,
       {'w': i::FLOAT, 'tags': ['a', NULL]} AS extra, i::DECIMAL(9, 3) AS weight FROM range(${range}) AS r(i)`
  await copy(item('0, 20'), 'items/part-0.parquet')
  await copy(item('20, 40'), 'items/part-1.parquet')
  // User u (0 … 9) sees items 2u and 2u + 1; histories name items 20 + u and one that no table has.
  for (const day of [1, 2]) {
    await copy(
      `SELECT 'user ' || u AS user_id, 'sku-' || (2 * u + ${day - 1}) AS item_id, 1::UTINYINT AS label,
         1700000000 + u AS ts, CASE WHEN ${day} = 1 THEN ['sku-' || (20 + u), 'gone'] END AS hist_items
       FROM range(10) AS r(u)`,
      `impressions/day=${day}/part.parquet`,
    )
  }
}

test('when ids are strings, histories lists and pictures paths then all survive', async () => {
  const from = join(root, 'foreign')
  const out = join(root, 'foreign cut')
  await makeForeign(from)
  const { summary } = await subsample({ from, users: 4, out, seed: 1, otherItems: 0 })
  assert.equal(summary.users, 4)
  assert.equal(summary.behaviors, 0)
  assert.equal(summary.impressions, 8)
  assert.equal(existsSync(join(out, 'behaviors.parquet')), false)
  // Two targets and one item of the history each.
  assert.equal(summary.items, 12)
  const log = table(out, 'impressions')
  const named = `SELECT item_id FROM ${log} UNION SELECT unnest(hist_items) FROM ${log}`
  assert.deepEqual(
    await db.rows(`SELECT item_id FROM (${named}) WHERE item_id NOT IN (SELECT item_id FROM ${table(out, 'items')})`),
    [{ item_id: 'gone' }],
  )
  const parts = `read_parquet(${literal(join(from, 'items', '*.parquet'))})`
  assert.deepEqual(await describe(table(out, 'items')), await describe(parts))
  const unmoved = (scan: string) => `SELECT * EXCLUDE (image) FROM ${scan}`
  assert.equal(await count(`(${unmoved(table(out, 'items'))} EXCEPT ${unmoved(parts)})`), 0)
  // The folder's key is a column like any other from now on.
  assert.deepEqual(await db.rows(`SELECT DISTINCT day::INTEGER AS day FROM ${log} ORDER BY day`), [
    { day: 1 },
    { day: 2 },
  ])

  const images = await db.columns(`SELECT DISTINCT image FROM ${table(out, 'items')} ORDER BY image`, {
    image: 'string',
  })
  assert.deepEqual(images.image, [
    'https://example.com/x.png',
    'outside/beside.png',
    'photos/lost.png',
    'photos/shared.png',
  ])
  assert.ok(existsSync(join(out, 'photos/shared.png')))
  assert.ok(existsSync(join(out, 'outside/beside.png')))
  assert.deepEqual([summary.pictures, summary.missingPictures], [2, 1])
})

test('when more users are asked for than there are then all are taken', async () => {
  const { summary } = await subsample({
    from: join(root, 'foreign'),
    users: 99,
    out: join(root, 'all'),
    seed: 1,
    otherItems: 1,
  })
  assert.deepEqual([summary.users, summary.items, summary.impressions], [10, 40, 20])
})

test('when the log is behaviors only and user ids repeat then every user counts once', async () => {
  const from = join(root, 'behaviors')
  await mkdir(from)
  const copy = (select: string, name: string) => db.run(`COPY (${select}) TO ${literal(join(from, name))}`)
  await copy('SELECT 9007199254740993 + i AS item_id FROM range(50) AS r(i)', 'items.parquet')
  await copy(
    `SELECT i % 10 AS user_id, 9007199254740993 + i % 50 AS item_id, 'click' AS action, i AS ts
       FROM range(1000) AS r(i)`,
    'behaviors.parquet',
  )
  const out = join(root, 'behaviors cut')
  const { summary } = await subsample({ from, users: 3, out, seed: 1, otherItems: 0 })
  await checkLog(from, out, 'behaviors')
  assert.deepEqual([summary.users, summary.behaviors, summary.items], [3, 300, 15])
})

test('when tables or columns are missing or the folder is taken then the error says which', async () => {
  const out = join(root, 'never')
  const from = join(root, 'behaviors')
  await assert.rejects(subsample({ from: join(root, 'nowhere'), users: 1, out, seed: 1 }), { id: 'table-missing' })
  await assert.rejects(subsample({ from, users: 0, out, seed: 1 }), { id: 'sample-users' })
  // An empty flag arrives as text.
  for (const otherItems of [2, '' as unknown as number]) {
    await assert.rejects(subsample({ from, users: 1, out, seed: 1, otherItems }), { id: 'sample-share' })
  }
  await assert.rejects(subsample({ from, users: 1, out, seed: 0.5 }), { id: 'sample-seed' })
  await assert.rejects(subsample({ from, users: 1, out: from, seed: 1 }), { id: 'out-exists' })
  const bare = join(root, 'bare')
  await mkdir(bare)
  await db.run(`COPY (SELECT 1 AS item_id) TO ${literal(join(bare, 'items.parquet'))}`)
  await assert.rejects(subsample({ from: bare, users: 1, out, seed: 1 }), { id: 'table-missing' })
  await db.run(`COPY (SELECT 1 AS item_id) TO ${literal(join(bare, 'behaviors.parquet'))}`)
  await assert.rejects(subsample({ from: bare, users: 1, out, seed: 1 }), { id: 'column-missing' })
  assert.equal(existsSync(out), false)
})

for (const name of ['market', 'online_retail']) {
  const { path: from, skip } = sharedFile(`data/${name}`)
  test(`when ${name} is cut then its users keep all events and no id dangles`, { skip }, async () => {
    const out = join(root, name)
    const { summary } = await subsample({ from, users: 100, out, seed: 1 })
    assert.equal(summary.users, 100)
    assert.equal(summary.missingPictures, 0)
    await checkLog(from, out, 'behaviors')
    if (existsSync(join(from, 'impressions.parquet'))) await checkLog(from, out, 'impressions')
    else assert.equal(summary.impressions, 0)
  })
}
