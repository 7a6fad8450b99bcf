import assert from 'node:assert/strict'
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { mim, mimJson, mimUntil } from '../commands/cli.js'
import { query, smallStages, workplace } from './stages.js'

const folder = await workplace()
const stages = smallStages(folder)
const run = join(folder, 'run')
const pretrain = [...stages.pretrain, '--engine', 'wasm', '--epochs', '1']
let results: Record<string, unknown>

before(async () => {
  results = await mimJson([...pretrain, '--out', run])
})

test('when a finished run is resumed then nothing is done and the same results are printed', async () => {
  const state = join(run, 'last/state.safetensors')
  writeFileSync(state, 'would be an error to read')
  const { code, stdout, stderr } = await mim([...pretrain, '--out', run, '--resume', '--json'])
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(stdout), results)
  assert.match(stderr, /run is finished; nothing to do\n$/)
  assert.equal(readFileSync(state, 'utf8'), 'would be an error to read')
  // Without --json, metrics before and after training are printed side by side.
  const lines = (await mim([...pretrain, '--out', run, '--resume'])).stdout.split('\n')
  assert.match(lines[0], /^ +before +after$/)
  const row = lines
    .find((line) => line.startsWith('image_to_title_mrr '))!
    .split(/ +/)
    .slice(1)
  const [was, is] = ['before', 'after'].map((when) => Number(results[`${when}_image_to_title_mrr`]).toFixed(4))
  assert.deepEqual(row, [was, is])
})

test('when a folder holds a run then neither another run nor another configuration touches it', async () => {
  const config = readFileSync(join(run, 'config.yaml'), 'utf8')
  const again = await mim([...pretrain, '--out', run])
  assert.equal(again.code, 2)
  assert.match(again.stderr, /error \[run-exists\]: .*--resume .*--overwrite .*--out/)
  const other = await mim([...pretrain, '--out', run, '--resume', '--seed', '9'])
  assert.equal(other.code, 2)
  assert.match(other.stderr, /error \[run-differs\]: .*seed is 9, was 1/)
  assert.equal(readFileSync(join(run, 'config.yaml'), 'utf8'), config)
  assert.deepEqual(JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8')), results)
})

test('when --overwrite is given then a run is replaced, and a folder that is no run is left alone', async () => {
  const out = join(folder, 'replaced')
  cpSync(run, out, { recursive: true })
  writeFileSync(join(out, 'rejected.parquet'), '')
  await mimJson([...pretrain, '--out', out, '--overwrite', '--seed', '9'])
  assert.match(readFileSync(join(out, 'config.yaml'), 'utf8'), /^seed: 9$/m)
  assert.equal(existsSync(join(out, 'rejected.parquet')), false)

  const mine = join(folder, 'mine')
  mkdirSync(mine)
  writeFileSync(join(mine, 'thesis.txt'), '')
  const { code, stderr } = await mim([...pretrain, '--out', mine, '--overwrite'])
  assert.equal(code, 2)
  assert.match(stderr, /error \[out-no-run\]/)
  assert.ok(existsSync(join(mine, 'thesis.txt')))
})

/** A copy of the items table, changed by `sql` (a SELECT on {items}), as the data of a command. */
async function itemsAs(name: string, sql: string): Promise<string[]> {
  const root = join(folder, name)
  mkdirSync(root)
  await query(`COPY (${sql}) TO '${root}/items.parquet' (FORMAT parquet)`, {
    items: join(folder, 'tiny/items.parquet'),
  })
  return ['--data', root]
}

test('when mim embed runs again then it keeps unchanged items, computes changed ones and drops removed ones', async () => {
  const out = join(folder, 'embed')
  const embed = [...stages.embed, '--checkpoint', run, '--out', out]
  const table = () =>
    query<{ item_id: bigint; content_hash: string; embedding: number[] }>(
      'SELECT item_id, content_hash, embedding FROM {table} ORDER BY item_id',
      { table: join(out, 'embeddings/*.parquet') },
    )
  const counts = ({ items, computed, unchanged }: Record<string, unknown>) => ({ items, computed, unchanged })
  assert.deepEqual(counts(await mimJson(embed)), { items: 120, computed: 120, unchanged: 0 })
  const first = await table()
  assert.deepEqual(counts(await mimJson(embed)), { items: 120, computed: 0, unchanged: 120 })
  assert.deepEqual(await table(), first)

  const [changed, gone] = [first[3].item_id, first[5].item_id]
  const data = await itemsAs(
    'changed',
    `SELECT * REPLACE (CASE WHEN item_id = ${changed} THEN 'another title' ELSE title END AS title)
     FROM {items} WHERE item_id <> ${gone}`,
  )
  assert.deepEqual(counts(await mimJson([...embed, ...data])), { items: 119, computed: 1, unchanged: 118 })
  const second = await table()
  assert.deepEqual(
    second.filter(({ item_id }) => item_id !== changed),
    first.filter(({ item_id }) => item_id !== changed && item_id !== gone),
  )
  const [now] = second.filter(({ item_id }) => item_id === changed)
  assert.notEqual(now.content_hash, first[3].content_hash)
  assert.notDeepEqual(now.embedding, first[3].embedding)

  const model = join(folder, 'other model')
  cpSync(join(run, 'checkpoint'), model, { recursive: true })
  appendFileSync(join(model, 'tokenizer_config.json'), '\n')
  const other = await mimJson([...embed, '--checkpoint', model])
  assert.deepEqual(counts(other), { items: 120, computed: 120, unchanged: 0 })
})

test('when too many pictures are broken then mim embed refuses them and the older table stays', async () => {
  const out = join(folder, 'embed broken')
  const embed = [...stages.embed, '--checkpoint', run, '--out', out]
  await mimJson(embed)
  const older = readFileSync(join(out, 'embeddings/part-00000.parquet'))
  const data = await itemsAs(
    'broken',
    `SELECT * REPLACE (if(item_id % 2 = 0, 'no'::BLOB, image) AS image) FROM {items}`,
  )
  const { code, stderr } = await mim([...embed, ...data])
  assert.equal(code, 2, stderr)
  assert.match(stderr, /error \[pictures-bad\]: .*of 119 pictures are broken/)
  assert.deepEqual(readFileSync(join(out, 'embeddings/part-00000.parquet')), older)
  const { broken, items } = await mimJson([...embed, ...data, '--set', 'data.maxBadImages=1'])
  assert.ok(Number(broken) > 30 && items === 120)
})

test('when mim embed is interrupted or killed then the older table stays whole and the next run completes it', async () => {
  const out = join(folder, 'embed interrupted')
  const embed = [...stages.embed, '--checkpoint', run, '--out', out]
  await mimJson(embed)
  const file = join(out, 'embeddings/part-00000.parquet')
  const older = readFileSync(file)
  const data = await itemsAs(
    'longer',
    `SELECT * REPLACE (item_id * 1000 + copy AS item_id, concat(title, ' ', copy) AS title)
     FROM {items}, range(12) r(copy)`,
  )
  // The stage begins to read items when it has said where it runs.
  const begun = () => readFileSync(join(out, 'log.jsonl'), 'utf8').split('provider: ').length
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const before = begun()
    const ended = await mimUntil([...embed, ...data, '--batch', '8'], () => begun() > before, signal)
    assert.equal(ended.code, signal === 'SIGINT' ? 130 : null, ended.stderr)
    if (signal === 'SIGINT') assert.match(ended.stderr, /is unchanged; start again with: mim embed/)
    assert.ok(readFileSync(file).equals(older))
  }
  const { items, computed } = await mimJson(embed)
  assert.deepEqual([items, computed], [120, 0])
})
