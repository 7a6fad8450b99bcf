import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { refusal } from '../refusal.js'
import { query, smallStages, workplace } from './stages.js'

const folder = await workplace()
const { pretrain, embed } = smallStages(folder)
const checkpoint = ['--checkpoint', join(folder, 'pretrain')]
const at = (name: string) => join(folder, name)

before(async () => {
  await mimJson([...pretrain, '--engine', 'wasm', '--out', at('pretrain')])
})

/** Arguments for a catalogue of an SQL query over `{items}`. */
async function catalogue(name: string, sql: string): Promise<string[]> {
  mkdirSync(at(name))
  await query(`COPY (${sql}) TO '${at(name)}/items.parquet' (FORMAT parquet)`, { items: at('tiny/items.parquet') })
  return ['--data', at(name)]
}

const parquetOf = (out: string) =>
  query<{ item_id: bigint; embedding: number[] }>('SELECT * FROM {table} ORDER BY item_id', {
    table: join(out, 'embeddings/*.parquet'),
  })

test('when two shards are merged then the table is that of one run, to the bit', async () => {
  const [whole, parts] = [at('whole'), at('parts')]
  await mimJson([...embed, ...checkpoint, '--out', whole])
  for (const shard of ['0/2', '1/2']) await mimJson([...embed, ...checkpoint, '--out', parts, '--shard', shard])
  const merged = await mimJson(['embed', 'merge', '--out', parts])
  assert.deepEqual([merged['shards'], merged['items']], [2, 120])
  for (const name of ['item_id', 'embedding', 'content_hash']) {
    const bytes = (out: string) => readFileSync(join(out, 'table', `${name}.npy`))
    assert.ok(bytes(parts).equals(bytes(whole)), name)
  }
})

test('when mim embed is a dry run then it reports the counts and changes nothing', async () => {
  const out = at('whole')
  const data = await catalogue(
    'another',
    `SELECT * REPLACE (if(item_id % 10 = 0, 'Xylophone ' || title, title) AS title) FROM {items} WHERE item_id % 10 <> 1
     UNION ALL SELECT * REPLACE (-item_id AS item_id) FROM {items} WHERE item_id % 10 = 2 AND title IS NOT NULL`,
  )
  const [expected] = await query<Record<string, bigint>>(
    `SELECT count(*) FILTER (item_id % 10 = 0 AND title IS NOT NULL) AS changed,
       count(*) FILTER (item_id % 10 = 1 AND (title IS NOT NULL OR image IS NOT NULL)) AS gone,
       count(*) FILTER (item_id % 10 = 2 AND title IS NOT NULL) AS new FROM {items}`,
    { items: at('tiny/items.parquet') },
  )
  const before = readFileSync(join(out, 'log.jsonl'), 'utf8')
  const plan = await mimJson([...embed, ...data, ...checkpoint, '--out', out, '--dry-run'])
  const { items: _, ...counts } = plan
  assert.deepEqual(
    [counts['new'], counts['changed'], counts['gone']],
    [expected['new'], expected['changed'], expected['gone']].map(Number),
  )
  assert.equal(readFileSync(join(out, 'log.jsonl'), 'utf8'), before)

  const kept = at('kept')
  cpSync(out, kept, { recursive: true, verbatimSymlinks: true })
  const done = await mimJson([...embed, ...data, ...checkpoint, '--out', out])
  assert.equal(done['computed'], Number(counts['new']) + Number(counts['changed']))
  assert.deepEqual([done['unchanged'], done['gone']], [counts['unchanged'], counts['gone']])
  const more = await mimJson([...embed, ...data, ...checkpoint, '--out', kept, '--keep-missing'])
  assert.equal(Number(more['rows']), Number(done['rows']) + Number(counts['gone']))
})

test('when vectors are cut short then they are the first numbers at unit norm, or int8', async () => {
  const [whole, out] = [at('full'), at('short')]
  await mimJson([...embed, ...checkpoint, '--out', whole])
  const narrow = ['--dim', '5', '--type', 'int8', '--batch', 'auto']
  const { width, batch } = await mimJson([...embed, ...checkpoint, '--out', out, ...narrow])
  assert.ok(Number.isInteger(batch))
  assert.equal(width, 5)
  const [long, short] = [await parquetOf(whole), await parquetOf(out)]
  short.forEach(({ embedding, item_id }, i) => {
    assert.equal(item_id, long[i].item_id)
    const first = long[i].embedding.slice(0, 5)
    const norm = Math.hypot(...first)
    assert.ok(embedding.every((x, k) => Math.abs(x - (127 * first[k]) / norm) <= 0.5 + 1e-4))
  })
  await refusal([...embed, ...checkpoint, '--dim', '13'], at('too long'), 'dim-value')
})

test('when a catalogue has no rows, or neither titles nor pictures, then it is refused', async () => {
  const run = [...embed, ...checkpoint]
  const empty = await catalogue('empty', 'SELECT * FROM {items} WHERE false')
  await refusal([...run, ...empty], at('nothing'), 'items-empty')
  const bare = await catalogue('bare', 'SELECT item_id, category FROM {items}')
  await refusal([...run, ...bare], at('nothing'), 'items-content')
})

test('when a catalogue has titles only, or pictures only, then each item has its vector', async () => {
  for (const [name, columns] of Object.entries({ titles: 'title', pictures: 'image' })) {
    const data = await catalogue(name, `SELECT CAST(item_id AS VARCHAR) AS item_id, ${columns} FROM {items}`)
    const metrics = await mimJson([...embed, ...checkpoint, ...data, '--out', at(`of ${name}`)])
    const only = metrics[name === 'titles' ? 'title_only' : 'picture_only']
    assert.ok(Number(only) > 80)
    assert.equal(only, metrics['rows'])
  }
})

test('when a provider cannot start then auto reports why and tries the next, and given by name it is refused', async () => {
  const { stderr } = await mim([...embed, ...checkpoint, '--out', at('provided')])
  const { provider } = JSON.parse(readFileSync(join(at('provided'), 'metrics.json'), 'utf8'))
  const order = ['cuda', 'webgpu', 'cpu']
  for (const refused of order.slice(0, order.indexOf(provider))) {
    assert.match(stderr, new RegExp(`${refused} provider skipped: \\w+`))
    await refusal([...embed, ...checkpoint, '--provider', refused], at('no provider'), 'provider-missing')
  }
})

test('when a shard is invalid then it is refused', async () => {
  for (const shard of ['4/4', '1', 'x/2']) await refusal([...embed, '--shard', shard], at('no shard'), 'shard-value')
  await refusal([...embed, '--shard', 'auto/2'], at('no shard'), 'shard-missing')
})

test('when a table is checked then coverage, drift and problems are reported', async () => {
  const other = at('checked')
  await mimJson([...embed, '--checkpoint', at('pretrain'), '--out', other, '--dim', '12'])
  const check = ['embed', 'check', at('whole'), '--data', at('tiny'), '--against', other]
  const logs = ['--impressions', 'impressions.parquet', '--behaviors', 'behaviors.parquet']
  const { stdout } = await mim([...check, ...logs, '--json'])
  const found = JSON.parse(stdout)
  const files = { log: at('tiny/impressions.parquet'), table: `${at('whole')}/embeddings/*.parquet` }
  const [expected] = await query<{ rows: number; items: number }>(
    `SELECT avg(CAST(t.item_id IS NOT NULL AS INT)) AS rows,
       count(DISTINCT t.item_id) / count(DISTINCT l.item_id) AS items
     FROM {log} l LEFT JOIN {table} t USING (item_id)`,
    files,
  )
  const { targets } = found
  assert.ok(expected.items < 1 && targets['items_covered'] === expected.items)
  assert.ok(Math.abs(targets['rows_covered'] - expected.rows) < 1e-9)
  assert.ok(found['histories']['rows'] > 0)
  // All that is wrong with a model of a few steps.
  assert.ok(found['problems'].every((problem: string) => /collapsed/.test(problem)))
  assert.ok(Math.abs(Number(found['norm_mean']) - 1) < 1e-4)
  const { drift } = found
  const changed = await query<{ item: string }>(
    `SELECT CAST(n.item_id AS VARCHAR) AS item FROM {now} n JOIN {old} o USING (item_id)
     WHERE n.content_hash <> o.content_hash`,
    { now: files.table, old: `${other}/embeddings/*.parquet` },
  )
  const names = new Set(changed.map(({ item }) => item))
  const moved = drift.worst.filter(({ cosine }: { cosine: number }) => cosine < 1 - 1e-9)
  assert.ok(moved.length > 0)
  for (const { item, cosine } of moved) assert.ok(names.has(item), `${item} ${cosine}`)
  assert.ok(drift.by_category.length > 1)
})

test('when vectors have collapsed or are not numbers then the check says so and fails', async () => {
  const out = at('broken')
  cpSync(at('whole'), out, { recursive: true, verbatimSymlinks: true })
  const file = join(out, 'table/embedding.npy')
  const bytes = readFileSync(file)
  const rowBytes = 12 * 4
  const row = bytes.subarray(128, 128 + rowBytes)
  for (let from = 128; from < bytes.length; from += rowBytes) row.copy(bytes, from)
  bytes.writeFloatLE(Number.NaN, 128 + 5 * rowBytes)
  writeFileSync(file, bytes)
  const { code, stdout } = await mim(['embed', 'check', out, '--json'])
  assert.equal(code, 2)
  const { not_finite, duplicates, problems, rows } = JSON.parse(stdout)
  assert.deepEqual([not_finite, duplicates], [1, rows - 2])
  assert.match(problems.join(), /1 vectors are not finite.*collapsed/)
})

test('when neighbors are searched then they have the greatest cosines, with and without an index', async () => {
  const table = at('full')
  const rows = await parquetOf(table)
  const cosine = (a: number[], b: number[]) => a.reduce((sum, x, k) => sum + x * b[k], 0)
  const [first] = rows
  const expected = rows
    .slice(1)
    .sort((a, b) => cosine(b.embedding, first.embedding) - cosine(a.embedding, first.embedding))
    .slice(0, 5)
  const html = at('gallery.html')
  const command = ['neighbors', table, '--item', String(first.item_id), '-k', '5']
  type Answer = { neighbors: { item: number; title: string | null; score: number }[]; recall: number }
  const exact = (await mimJson([...command, '--html', html])) as unknown as Answer
  const scores = expected.map(({ embedding }) => cosine(embedding, first.embedding))
  exact.neighbors.forEach(({ score }, i) => {
    assert.ok(Math.abs(score - scores[i]) < 1e-5)
  })
  for (const over of [join(table, 'table/table.json'), join(table, 'config.yaml')])
    assert.match((await mim([...command, '--html', over])).stderr, /^error \[out-input\]: --html /)
  assert.equal(readFileSync(html, 'utf8').match(/data:image\/jpeg/g)!.length >= 5, true)
  for (const use of ['built', 'opened again']) {
    const found = (await mimJson([...command, '--index'])) as unknown as Answer
    found.neighbors.forEach(({ score }, i) => {
      assert.ok(Math.abs(score - scores[i]) < 1e-5, use)
    })
    assert.ok(found.recall > 0.99)
  }
  const titled = await query<{ item_id: bigint; title: string }>(
    'SELECT item_id, title FROM {items} WHERE title IS NOT NULL AND image IS NULL ORDER BY item_id LIMIT 1',
    { items: at('tiny/items.parquet') },
  )
  const [{ item_id, title }] = titled
  const byText = (await mimJson(['neighbors', table, '--text', title, '-k', '1'])) as unknown as Answer
  assert.ok(byText.neighbors[0].score > 1 - 1e-5, `${item_id}`)
  const { code, stderr } = await mim(['neighbors', table, '--item', 'nobody'])
  assert.equal(code, 2)
  assert.match(stderr, /item-unknown/)
})
