import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { literal } from '../../src/data/tables/duckdb.js'
import { generateSample } from '../../src/sample/index.js'
import { simulate } from '../../src/sample/market/simulate.js'
import { pairwiseAuc } from '../metrics/data.js'
import { openDatabase, temporaryFolder } from './folders.js'

const root = await temporaryFolder()
const out = join(root, 'one')
const stages = new Set<string>()
const { summary, isNew } = await generateSample({ out, size: 'tiny', seed: 1 }, (stage) => stages.add(stage))
const db = await openDatabase()
const tables = ['items', 'behaviors', 'impressions'] as const
for (const table of tables) {
  await db.run(`CREATE VIEW ${table} AS SELECT * FROM ${literal(join(out, `${table}.parquet`))}`)
}

const count = (rows: string) => db.count(rows)

async function columnsOf(table: string): Promise<Record<string, string>> {
  const rows = await db.rows<{ column_name: string; column_type: string }>(`DESCRIBE ${table}`)
  return Object.fromEntries(rows.map(({ column_name, column_type }) => [column_name, column_type]))
}

test('when a sample is made then its tables have the columns of the contract', async () => {
  assert.deepEqual(await columnsOf('items'), {
    item_id: 'BIGINT',
    title: 'VARCHAR',
    image: 'BLOB',
    category: 'VARCHAR',
    brand: 'VARCHAR',
    price: 'DOUBLE',
    created_at: 'TIMESTAMP',
  })
  assert.deepEqual(await columnsOf('behaviors'), {
    user_id: 'VARCHAR',
    item_id: 'BIGINT',
    action: 'VARCHAR',
    ts: 'TIMESTAMP',
    request_id: 'VARCHAR',
    query_text: 'VARCHAR',
    query_image: 'VARCHAR',
  })
  assert.deepEqual(await columnsOf('impressions'), {
    request_id: 'VARCHAR',
    user_id: 'VARCHAR',
    item_id: 'BIGINT',
    label: 'TINYINT',
    ts: 'TIMESTAMP',
    position: 'TINYINT',
  })
  assert.ok(stages.size >= 3)
})

test('when a sample is made then its counts are those of its summary and of its size', async () => {
  assert.equal(await count('items'), 120)
  assert.equal(await count('(SELECT DISTINCT item_id FROM items)'), 120)
  assert.equal(await count('impressions'), summary.impressions)
  assert.equal(await count('impressions WHERE label = 1'), summary.clicks)
  assert.equal(await count("behaviors WHERE action = 'expose'"), summary.impressions)
  assert.equal(await count("behaviors WHERE action = 'click'"), summary.clicks)
  assert.equal(await count("behaviors WHERE action = 'purchase'"), summary.purchases)
  assert.equal(await count('(SELECT DISTINCT request_id FROM impressions)'), summary.requests)
  assert.equal(await count('(SELECT DISTINCT user_id FROM impressions)'), 60)
  assert.ok(Math.abs(summary.impressions - 3_000) < 200)
  assert.ok(summary.ctr > 0.08 && summary.ctr < 0.14, `click rate ${summary.ctr}`)
  assert.deepEqual(JSON.parse(await readFile(join(out, 'truth.json'), 'utf8')), summary)
})

test('when items lack something then it is 2 % of titles and of pictures and never both', async () => {
  assert.equal(await count('items WHERE title IS NULL'), 2)
  assert.equal(await count('items WHERE image IS NULL'), 2)
  assert.equal(await count('items WHERE title IS NULL AND image IS NULL'), 0)
})

test('when ids lie above 2^53 then some are the same number as a double', async () => {
  assert.ok((await count('items WHERE item_id > 9007199254740992')) > 0)
  assert.ok((await count('(SELECT DISTINCT item_id::DOUBLE FROM items)')) < 120)
})

test('when items are shown then they exist, had arrived, and differ within a request', async () => {
  assert.equal(await count('impressions ANTI JOIN items USING (item_id)'), 0)
  assert.equal(await count('impressions JOIN items USING (item_id) WHERE created_at > ts'), 0)
  assert.ok((await count("items WHERE created_at > TIMESTAMP '2025-03-01'")) >= 36)
  const requests =
    '(SELECT count(*) AS n, count(DISTINCT item_id) AS items, count(DISTINCT ts) AS times, ' +
    'count(DISTINCT user_id) AS users, min(position) AS first, max(position) AS last FROM impressions GROUP BY request_id)'
  assert.equal(
    await count(
      `${requests} WHERE n NOT BETWEEN 8 AND 10 OR items < n OR times < n OR users > 1 OR first > 0 OR last <> n - 1`,
    ),
    0,
  )
})

test('when a user clicks or buys then it is after the impression and after the click', async () => {
  const events = (action: string) => `(SELECT * FROM behaviors WHERE action = '${action}')`
  const follows = (later: string, earlier: string) =>
    `${events(later)} AS b ASOF LEFT JOIN ${events(earlier)} AS a ON a.user_id = b.user_id AND a.item_id = b.item_id ` +
    'AND a.request_id = b.request_id AND a.ts < b.ts WHERE a.ts IS NULL'
  assert.equal(await count(follows('click', 'expose')), 0)
  assert.equal(await count(follows('purchase', 'click')), 0)
  const clicked = "SELECT request_id, item_id FROM behaviors WHERE action = 'click'"
  const labelled = 'SELECT request_id, item_id FROM impressions WHERE label = 1'
  assert.equal(await count(`(${clicked} EXCEPT ${labelled})`), 0)
  assert.equal(
    await count('(SELECT user_id, min(ts) AS ts FROM impressions GROUP BY user_id, request_id)'),
    await count('(SELECT DISTINCT user_id, ts FROM impressions WHERE position = 0)'),
  )
})

test('when pictures are read then all decode to 64 × 64, in three formats', async () => {
  const images = (await db.columns('SELECT image FROM items WHERE image IS NOT NULL', { image: 'blob' })).image
  const formats = new Set<string>()
  for (const image of images) {
    const { format, width, height } = await sharp(image!).metadata()
    assert.deepEqual([width, height], [64, 64])
    formats.add(format)
  }
  assert.deepEqual([...formats].sort(), ['jpeg', 'png', 'webp'])
})

test('when requests carry queries then they are a text or a photo that is there, and most have none', async () => {
  assert.equal(await count('behaviors WHERE query_text IS NOT NULL AND query_image IS NOT NULL'), 0)
  const requests = await count("(SELECT DISTINCT request_id FROM behaviors WHERE action = 'expose')")
  const feed = await count(
    '(SELECT DISTINCT request_id FROM behaviors WHERE coalesce(query_text, query_image) IS NULL)',
  )
  assert.ok(feed > requests / 2 && feed < requests * 0.8, `${feed} of ${requests} without a query`)
  const { path } = await db.columns('SELECT DISTINCT query_image AS path FROM behaviors WHERE path IS NOT NULL', {
    path: 'string',
  })
  assert.ok(path.length > 10)
  for (const photo of path) {
    const { format, width, height } = await sharp(join(out, photo!)).metadata()
    assert.deepEqual([format, width, height], ['jpeg', 64, 64])
  }
  assert.equal((await readdir(join(out, 'query_images'))).length, path.length)
})

test('when the truth is computed again from the tables then it is what truth.json says', async () => {
  const { log } = simulate('tiny', 1)
  const { label, test, unseen, mean } = await db.columns(
    `SELECT label, ts >= TIMESTAMP '${summary.test_from}' AS test,
       item_id NOT IN (SELECT item_id FROM early) AS unseen,
       (coalesce(clicks, 0) + 20 * (SELECT avg(label) FROM early)) / (coalesce(n, 0) + 20) AS mean
     FROM impressions LEFT JOIN (SELECT item_id, sum(label) AS clicks, count(*) AS n FROM early GROUP BY ALL) AS e
     USING (item_id) ORDER BY ts, request_id`.replaceAll(
      'early',
      `(SELECT * FROM impressions WHERE ts < TIMESTAMP '${summary.seen_until}')`,
    ),
    { label: 'int32', test: 'uint8', unseen: 'uint8', mean: 'float64' },
  )
  assert.deepEqual([...label], [...log.label])
  const rows = [...label.keys()].filter((i) => test[i])
  const cold = rows.filter((i) => unseen[i])
  const of = (some: number[], scores: Float64Array) =>
    pairwiseAuc(
      some.map((i) => label[i]),
      some.map((i) => scores[i]),
    )
  assert.ok(Math.abs(rows.length / label.length - 0.2) < 0.01)
  assert.ok(cold.length > 0)
  assert.equal(cold.length / rows.length, summary.cold_share)
  assert.ok(Math.abs(of(rows, log.oracle) - summary.oracle_auc) < 1e-9)
  assert.ok(Math.abs(of(cold, log.oracle) - summary.oracle_auc_unseen) < 1e-9)
  assert.ok(Math.abs(of(rows, mean) - summary.item_mean_auc) < 1e-9)
})

test('when the seed is the same then so is every row and photo, and with another seed they differ', async () => {
  const again = join(root, 'again')
  const other = join(root, 'other')
  assert.deepEqual(await generateSample({ out: again, size: 'tiny', seed: 1 }), { summary, isNew: true })
  await generateSample({ out: other, size: 'tiny', seed: 2 })
  // Order counts: every row is compared with its number.
  const rowsOf = (folder: string, table: string) =>
    `SELECT *, file_row_number FROM read_parquet(${literal(join(folder, `${table}.parquet`))})`
  for (const table of tables) {
    assert.equal(await count(`(${rowsOf(out, table)} EXCEPT ${rowsOf(again, table)})`), 0)
    assert.ok((await count(`(${rowsOf(out, table)} EXCEPT ${rowsOf(other, table)})`)) > 100)
  }
  const photo = (folder: string) => readFile(join(folder, 'query_images/000000.jpg'))
  assert.deepEqual(await photo(again), await photo(out))
  assert.notDeepEqual(await photo(other), await photo(out))
})

test('when the folder holds the very sample then it is left as it is', async () => {
  let worked = false
  const again = await generateSample({ out, size: 'tiny', seed: 1 }, () => {
    worked = true
  })
  assert.equal(isNew, true)
  assert.deepEqual(again, { summary, isNew: false })
  assert.equal(worked, false)
})

test('when the folder holds anything else then out-exists', async () => {
  await assert.rejects(generateSample({ out, size: 'tiny', seed: 2 }), { id: 'out-exists', exitCode: 2 })
  const full = join(root, 'full')
  await mkdir(full)
  await writeFile(join(full, 'note.txt'), 'mine')
  await assert.rejects(generateSample({ out: full, size: 'tiny', seed: 1 }), { id: 'out-exists' })
  await assert.rejects(generateSample({ out: join(full, 'note.txt'), size: 'tiny', seed: 1 }), { id: 'out-exists' })
  assert.deepEqual(await readdir(full), ['note.txt'])
})

test('when making a sample fails then nothing is left behind', async () => {
  const before = await readdir(root)
  const progress = (stage: string) => {
    if (stage === 'query photos') throw new Error('stopped')
  }
  await assert.rejects(generateSample({ out: join(root, 'failed'), size: 'tiny', seed: 1 }, progress), /stopped/)
  assert.deepEqual(await readdir(root), before)
})

test('when the folder is there but empty then it is filled', async () => {
  const empty = join(root, 'empty')
  await mkdir(empty)
  assert.deepEqual(await generateSample({ out: empty, size: 'tiny', seed: 1 }), { summary, isNew: true })
})

test('when the size is a number then it is the number of items', () => {
  const { items, users, log } = simulate(200, 5)
  assert.equal(items.length, 200)
  assert.equal(users.length, 70)
  assert.ok(Math.abs(log.ts.length - 15_000) < 500)
})

test('when size or seed are none then sample-size and sample-seed', async () => {
  const to = { out: join(root, 'none') }
  await assert.rejects(generateSample({ ...to, size: 10, seed: 1 }), { id: 'sample-size' })
  await assert.rejects(generateSample({ ...to, size: 'huge' as 'tiny', seed: 1 }), { id: 'sample-size' })
  await assert.rejects(generateSample({ ...to, size: 'tiny', seed: 0.5 }), { id: 'sample-seed' })
})
