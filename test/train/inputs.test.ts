import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type CtrConfig, ctrConfig } from '../../src/config/ctr.js'
import { sftConfig } from '../../src/config/sft.js'
import { ctrInputs, sftInputs } from '../../src/stages/shared/inputs.js'
import { Run } from '../../src/train/run.js'
import { writeSmallCheckpoint } from '../checkpoint/small.js'
import { openTables } from '../data/tables.js'
import { assertRefused } from '../errors/refused.js'
import { runHere, setArguments } from '../refusal.js'
import { madeTable } from '../store/madeTable.js'

const { folder, db } = await openTables()
let places = 0

const impressions = (label = 'i % 2', where = 'true') =>
  `SELECT 'u' || i % 7 AS user_id, i % 20 AS item_id, (${label})::INTEGER AS label, i AS ts
   FROM range(200) r(i) WHERE ${where}`
const items = "SELECT i AS item_id, 'title ' || i AS title, 'c' || i % 3 AS category FROM range(20) r(i)"
const behaviors = "SELECT 'u' || i % 7 AS user_id, i % 20 AS item_id, 'click' AS action, i AS ts FROM range(300) r(i)"

/** A folder of tables; `impressions` has a part for each query, or is one file. */
async function data(parts?: readonly string[]) {
  const root = join(folder, `data-${places++}`)
  mkdirSync(root)
  const write = async (name: string, query: string) => {
    mkdirSync(join(root, name, '..'), { recursive: true })
    await db.writeParquet(query, join(root, `${name}.parquet`))
  }
  if (!parts) await write('impressions', impressions())
  for (const [i, query] of (parts ?? []).entries()) await write(`impressions/part-${i + 1}`, query)
  await write('items', items)
  await write('behaviors', behaviors)
  return { root, write, size: (name: string) => statSync(join(root, `${name}.parquet`)).size }
}

const din = (root: string, more = {}) => ctrConfig.parse({ data: { root, ...more }, model: { name: 'din' } })

/** A run of these inputs that was killed, or is finished; `again` opens it once more. */
async function begun(config: CtrConfig, { isFinished = false } = {}) {
  const out = join(folder, `run-${places++}`)
  const open = (work: (run: Run) => Promise<unknown>, acceptChanged = false) =>
    Run.with(
      { out, stage: 'ctr', config, schema: ctrConfig, resume: true, inputs: ctrInputs(config), acceptChanged },
      work,
    )
  const finish = (run: Run) => run.finish({ auc: 0.5 })
  await open(async (run) => (isFinished ? finish(run) : undefined))
  const read = (name: string) => readFileSync(join(out, name), 'utf8')
  return { out, open, finish, read, again: (accept?: boolean) => open(async (run) => run.finished, accept) }
}

test('when labels are inverted in a file of the same size then a killed and a finished run name the column', async () => {
  const { root, write, size } = await data()
  const before = size('impressions')
  const [killed, finished] = [await begun(din(root)), await begun(din(root), { isFinished: true })]
  await write('impressions', impressions('1 - i % 2'))
  assert.equal(size('impressions'), before)
  const named = /data\.impressions \S+impressions\.parquet: other values in column 'label'; choose another --out/
  await assertRefused(killed.again, 'inputs-changed', named)
  await assertRefused(finished.again, 'inputs-changed', named)
  await assertRefused(finished.again, 'inputs-changed', /finished .*--overwrite/)
  await write('impressions', impressions())
  await killed.again()
  assert.deepEqual(await finished.again(), { auc: 0.5, warnings: [] })
})

const changes: [string, string, string, RegExp][] = [
  [
    'a title changes',
    'items',
    items.replace("'title ' || i", "if(i = 7, 'a cup', 'title ' || i)"),
    /data\.items .* column 'title'/,
  ],
  [
    'behaviors are added',
    'behaviors',
    `${behaviors} UNION ALL (${behaviors} LIMIT 1)`,
    /data\.behaviors .*301 rows, were 300/,
  ],
  [
    'rows are in another order',
    'behaviors',
    `${behaviors} ORDER BY i DESC`,
    /other values in columns 'user_id', 'item_id', 'ts';/,
  ],
  [
    'columns are in another order',
    'items',
    `SELECT category, item_id, title FROM (${items})`,
    /another order of columns/,
  ],
  [
    'a column is renamed',
    'items',
    `SELECT * RENAME (title AS name) FROM (${items})`,
    /new column 'name', gone column 'title'/,
  ],
]
for (const [what, table, query, named] of changes) {
  test(`when ${what} then the run is not continued, and the message says so`, async () => {
    const { root, write } = await data()
    const run = await begun(din(root))
    await write(table, query)
    await assertRefused(run.again, 'inputs-changed', named)
  })
}

test('when parts of a table are added, removed or changed then the message names them', async () => {
  const parts = [
    impressions('0', 'i < 50'),
    impressions('i % 2', 'i BETWEEN 50 AND 99'),
    impressions('i % 2', 'i > 99'),
  ]
  const { root, write } = await data(parts)
  const run = await begun(din(root))
  await write('impressions/part-3', impressions('1 - i % 2', 'i > 99'))
  await assertRefused(run.again, 'inputs-changed', /other values in column 'label' of part-3\.parquet;/)
  await write('impressions/part-3', parts[2])
  await write('impressions/day=4/part', parts[0])
  await assertRefused(run.again, 'inputs-changed', /new: day=4\/part\.parquet, 250 rows, were 200/)
  rmSync(join(root, 'impressions/day=4'), { recursive: true })
  rmSync(join(root, 'impressions/part-1.parquet'))
  await assertRefused(run.again, 'inputs-changed', /gone: part-1\.parquet, 150 rows, were 200/)
})

test('when the data are a copy with other times then they are the same', async () => {
  const { root } = await data()
  const run = await begun(din(root))
  renameSync(root, `${root}.old`)
  cpSync(`${root}.old`, root, { recursive: true })
  utimesSync(join(root, 'items.parquet'), 1, 1)
  await run.again()
})

test('when nothing was written then nothing is read again, and a time that was set back hides no change', async (t) => {
  const { root, write } = await data()
  const file = join(root, 'impressions.parquet')
  const { atime, mtime } = statSync(file)
  const clock = Date.now
  // Files of a minute ago.
  t.mock.method(Date, 'now', () => clock() + 60_000)
  const run = await begun(din(root))
  const read = run.read('inputs.json')
  assert.match(read, /"stamp"/)
  await run.again()
  assert.equal(run.read('inputs.json'), read)
  await write('impressions', impressions('1 - i % 2'))
  utimesSync(file, atime, mtime)
  await assertRefused(run.again, 'inputs-changed', /'label'/)
})

test('when changes are accepted then a warning stays with the run, which is quiet afterwards', async () => {
  const { root, write } = await data()
  const run = await begun(din(root))
  await write('items', items.replace('% 3', '% 2'))
  await run.again(true)
  assert.match(run.read('log.jsonl'), /data\.items \S+: changed while .*: other values in column 'category'/)
  await run.open(run.finish)
  const { warnings } = JSON.parse(run.read('metrics.json')) as { warnings: { id: string; what: string }[] }
  assert.deepEqual(
    warnings.map(({ id, what }) => [id, /column 'category'/.test(what)]),
    [['inputs-changed', true]],
  )
})

test('when changes are accepted for a finished run then its results are given, and it still is of the earlier inputs', async () => {
  const { root, write } = await data()
  const run = await begun(din(root), { isFinished: true })
  await write('items', items.replace('% 3', '% 2'))
  assert.deepEqual(await run.again(true), { auc: 0.5, warnings: [] })
  assert.match(run.read('log.jsonl'), /the results are of what was there before: other values in column 'category'/)
  await assertRefused(run.again, 'inputs-changed', /column 'category'/)
})

test('when inputs of a finished run are gone then it gives its results and says what was not compared', async () => {
  const { root } = await data()
  const run = await begun(din(root), { isFinished: true })
  rmSync(join(root, 'items.parquet'))
  assert.deepEqual(await run.again(), { auc: 0.5, warnings: [] })
  assert.match(run.read('log.jsonl'), /"id":"inputs-unread","where":"data\.items"/)
})

test('when a run of an earlier version remembers no inputs then it is continued and remembers them from then on', async () => {
  const { root, write } = await data()
  const run = await begun(din(root))
  rmSync(join(run.out, 'inputs.json'))
  await write('items', items.replace('% 3', '% 2'))
  await run.again()
  await write('items', items)
  await assertRefused(run.again, 'inputs-changed', /column 'category'/)
  writeFileSync(join(run.out, 'inputs.json'), '{"format": 1, "inp')
  await assertRefused(run.again, 'inputs-broken', /inputs\.json.*remove the file/)
})

test('when a table that the model does not read changes then the run is continued', async () => {
  const { root, write } = await data()
  const config = ctrConfig.parse({
    data: { root, embeddings: join(root, 'none') },
    model: { name: 'din' },
    features: { items: [] },
  })
  const run = await begun(config)
  await write('items', `${items} LIMIT 3`)
  await run.again()
})

test('when the published table of --embeddings is another one then the run is not continued', async () => {
  const { root } = await data()
  const table = join(root, 'vectors')
  const ids = Array.from({ length: 20 }, (_, i) => BigInt(i))
  const make = async (scale: number) => {
    rmSync(table, { recursive: true, force: true })
    using _ = await madeTable(table, 'BIGINT', ids, 'float32', (id) =>
      new Float32Array(8).fill(scale * (1 + Number(id))),
    )
  }
  await make(1)
  const run = await begun(ctrConfig.parse({ data: { root, embeddings: table }, model: { name: 'content' } }))
  await make(1)
  // As mim neighbors makes it.
  writeFileSync(join(table, 'hnsw.usearch'), 'an index')
  await run.again()
  await make(2)
  await assertRefused(run.again, 'inputs-changed', /data\.embeddings \S+vectors: .*embedding\.npy/)
})

test('when vectors to score with are of another model than those of the training then mim ctr predict refuses them', async () => {
  const { root } = await data()
  const table = join(root, 'vectors')
  using _ = await madeTable(table, 'BIGINT', [1n, 2n], 'float32')
  const run = await begun(ctrConfig.parse({ data: { root, embeddings: table }, model: { name: 'content' } }), {
    isFinished: true,
  })
  mkdirSync(join(run.out, 'checkpoint'))
  writeFileSync(join(run.out, 'checkpoint/model.safetensors'), '')
  const manifest = join(table, 'manifest.json')
  const of = (version: string) =>
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/"v\d[^"]*"/, `"${version}"`))
  const predict = () => runHere(['ctr', 'predict', run.out, '--out', join(root, 'scored.parquet')])
  of('v2')
  const { code, stderr } = await predict()
  assert.equal(code, 2)
  assert.match(stderr, /error \[vectors-model\]: data\.embeddings \S+vectors: the vectors are of model v2, .* of v1;/)
  // Half precision of the same model is no other model; the run then lacks what a training leaves.
  of('v1-fp16')
  assert.doesNotMatch((await predict()).stderr, /vectors-model/)
})

test('when a file of the checkpoint is a pipe then a run that is continued does not wait for it', {
  skip: process.platform === 'win32',
}, async () => {
  const { root } = await data()
  const checkpoint = join(root, 'model')
  writeSmallCheckpoint(checkpoint)
  rmSync(join(checkpoint, 'model.safetensors'))
  execFileSync('mkfifo', [join(checkpoint, 'model.safetensors')])
  const config = sftConfig.parse({ data: { root }, init: checkpoint })
  await Run.with({ out: join(root, 'sft'), stage: 'sft', config, inputs: sftInputs(config) }, async () => {})
})

test('when the checkpoint of --init is another one then the run is not continued; a new model card is no change', async () => {
  const { root } = await data()
  const checkpoint = join(root, 'model')
  writeSmallCheckpoint(checkpoint, true)
  const config = sftConfig.parse({ data: { root }, init: checkpoint })
  const out = join(root, 'sft')
  const again = () =>
    Run.with({ out, stage: 'sft', config, schema: sftConfig, resume: true, inputs: sftInputs(config) }, async () => {})
  await again()
  writeFileSync(join(checkpoint, 'README.md'), 'another card')
  await again()
  const file = join(checkpoint, 'model.safetensors')
  const bytes = readFileSync(file)
  bytes[bytes.length - 1] ^= 1
  writeFileSync(file, bytes)
  await assertRefused(again, 'inputs-changed', /init \S+model: model\.safetensors changed;/)
})

test('when --resume meets changed tables then the command line refuses, and --accept-changed needs --resume', async () => {
  const { root, write } = await data()
  const set = setArguments({ 'data.root': root, 'model.name': 'din' })
  const out = join(root, 'run')
  const config = din(root)
  await Run.with({ out, stage: 'ctr', config, schema: ctrConfig, inputs: ctrInputs(config) }, (run) => run.finish({}))
  await write('behaviors', `${behaviors} LIMIT 290`)
  const refused = await runHere(['ctr', ...set, '--out', out, '--resume'])
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /^error \[inputs-changed\]: [^\n]*data\.behaviors [^\n]*290 rows, were 300[^\n]*\n$/)
  assert.match(
    (await runHere(['ctr', ...set, '--out', out, '--accept-changed'])).stderr,
    /\[option-conflict\].*--resume/,
  )
  const accepted = await runHere(['ctr', ...set, '--out', out, '--resume', '--accept-changed'])
  assert.equal(accepted.code, undefined)
  assert.match(accepted.stderr, /warning: data\.behaviors .*290 rows.*nothing to do/s)
})
