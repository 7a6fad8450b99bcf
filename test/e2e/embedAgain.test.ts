import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import sharp from 'sharp'
import { type EmbedConfig, embedConfig } from '../../src/config/embed.js'
import type { Shard } from '../../src/data/items/shard.js'
import { literal } from '../../src/data/tables/duckdb.js'
import { mergeShards, shardName, shardsFolder } from '../../src/stages/embed/merge.js'
import { embed } from '../../src/stages/embed/stage.js'
import { EmbeddingTable, tableFolder } from '../../src/store/index.js'
import { Run } from '../../src/train/run.js'
import { writeSmallCheckpoint } from '../checkpoint/small.js'
import { pythonWith } from '../fixtures.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'
import { query } from './stages.js'

const folder = await temporaryFolder()
const checkpoint = join(folder, 'pretrain')
const shop = join(folder, 'shop')
const count = 40
const out = join(folder, 'run')
let cut: Buffer
let whole: Buffer

/** Picture files of which some are broken; of item 3 there is none, and item 5 has no title either. */
before(async () => {
  writeSmallCheckpoint(checkpoint, true)
  mkdirSync(shop)
  whole = await sharp({ create: { width: 200, height: 90, channels: 3, background: '#a01020' } })
    .jpeg()
    .toBuffer()
  cut = whole.subarray(0, 300)
  for (let i = 0; i < count; i++) if (i !== 3) writeFileSync(join(shop, `${i}.jpg`), i === 4 || i === 5 ? cut : whole)
  const db = await openDatabase()
  await db.run(`COPY (SELECT i AS item_id, CASE WHEN i <> 5 THEN concat('thing ', i % 7) END AS title,
      CASE WHEN i < 38 THEN i || '.jpg' ELSE '' END AS image FROM range(${count}) r(i))
    TO ${literal(join(shop, 'items.parquet'))} (FORMAT parquet)`)
})

const config = (more: Partial<EmbedConfig> = {}): EmbedConfig =>
  embedConfig.parse({ checkpoint, batch: 8, threads: 1, data: { root: shop, maxBadImages: 0.2 }, ...more })

const options = (path: string) => ({ out: path, stage: 'embed', config: {}, repeatable: true })

/** Results of the stage. Rows of `rejected.parquet`: number of the item, kind of the failure. */
async function embedded(path: string, more: Partial<EmbedConfig> = {}, shard?: Shard) {
  const place = shard ? join(path, shardsFolder, shardName(shard)) : path
  const metrics = await Run.with(options(place), (run) =>
    embed(config(more), run, { published: join(path, tableFolder), shard }),
  )
  return metrics as Record<'computed' | 'unchanged' | 'empty' | 'broken' | 'pictures', number>
}

const listed = async (path: string) =>
  (
    await query<{ item_id: bigint; kind: string; path: string }>(
      "SELECT item_id, path, split_part(reason, ':', 1) AS kind FROM {list} ORDER BY 1",
      { list: join(path, 'rejected.parquet') },
    )
  ).map(({ item_id, path: name, kind }) => `${item_id} ${name} ${kind}`)

const broken = ['3 3.jpg missing', '4 4.jpg corrupt', '5 5.jpg corrupt']

test('when items are embedded again then the broken pictures are the same, until their files are right', async () => {
  const first = await embedded(out)
  assert.deepEqual([first.computed, first.empty, first.broken, first.pictures], [39, 1, 3, 38])
  assert.deepEqual(await listed(out), broken)
  for (const more of [{}, { keepMissing: true }]) {
    const again = await embedded(out, more)
    assert.deepEqual([again.computed, again.unchanged, again.empty, again.broken], [0, 39, 1, 3])
    assert.deepEqual(await listed(out), broken)
  }
  writeFileSync(join(shop, '3.jpg'), whole)
  const found = await embedded(out)
  assert.deepEqual([found.computed, found.unchanged, found.broken], [1, 38, 2])
  assert.deepEqual(await listed(out), broken.slice(1))
  rmSync(join(shop, '3.jpg'))
  const lost = await embedded(out)
  assert.deepEqual([lost.computed, lost.broken], [1, 3])
  assert.deepEqual(await listed(out), broken)
})

test('when a limit that made pictures broken is raised then they are decoded', async () => {
  const path = join(folder, 'limits')
  const data = config().data
  const few = await embedded(path, { data: { ...data, maxImagePixels: 100, maxBadImages: 1 } })
  assert.equal(few.broken, 38)
  const most = await embedded(path)
  assert.deepEqual([most.computed, most.unchanged, most.broken], [37 - 2, 4, 3])
})

test('when shards are merged then the list has the broken pictures of all, and a later run the same', async () => {
  const path = join(folder, 'sharded')
  const shards = [0, 1].map((index) => ({ index, count: 2 }))
  const parts = [await embedded(path, {}, shards[0]), await embedded(path, {}, shards[1])]
  assert.equal(parts[0].broken + parts[1].broken, 3)
  const merge = () =>
    Run.with(options(path), async (run) => mergeShards({ keepMissing: false, keepTables: 2 }, run)) as Promise<
      Record<string, number>
    >
  const merged = await merge()
  assert.deepEqual([merged['broken'], merged['pictures']], [3, 38])
  assert.deepEqual(await listed(path), broken)
  assert.equal((await embedded(path, {}, shards[0])).broken, parts[0].broken)
  assert.equal((await merge())['broken'], 3)
  assert.equal((await embedded(path)).broken, 3)
  assert.deepEqual(await listed(path), broken)
})

test('when too many pictures are broken then the list is all that a refused run leaves, and the run can be repeated', async () => {
  const path = join(folder, 'refused')
  const strict = { data: { ...config().data, maxBadImages: 0.05 } }
  for (let time = 0; time < 2; time++) {
    await assert.rejects(embedded(path, strict), {
      id: 'pictures-bad',
      message: /3 of \d+ pictures are broken .*refused\/rejected\.parquet lists them/,
    })
    assert.deepEqual(readdirSync(path), ['rejected.parquet'])
    assert.deepEqual(await listed(path), broken)
  }
  const { broken: number } = await embedded(path)
  assert.equal(number, 3)
})

/** Python's readers of whole folders. */
const readers = {
  pandas: 'import pandas, sys; print(len(pandas.read_parquet(sys.argv[1])))',
  polars: 'import polars, sys; print(polars.read_parquet(sys.argv[1]).height)',
}

test('when a table is published then its Parquet files are alone in their folder, with any reader', async (t) => {
  const files = readdirSync(join(out, 'embeddings'), { recursive: true }).map(String)
  assert.ok(files.length > 0 && files.every((name) => name.endsWith('.parquet')), files.join())
  const [{ rows }] = await query<{ rows: bigint }>('SELECT count(*) AS rows FROM {table}', {
    table: join(out, 'embeddings/*.parquet'),
  })
  assert.equal(Number(rows), 39)
  for (const path of [out, join(out, 'embeddings'), join(out, 'table')]) {
    using table = EmbeddingTable.open(path)
    assert.equal(table.manifest.rows, 39, path)
  }
  for (const [module, script] of Object.entries(readers)) {
    const { run, skip } = pythonWith(module)
    await t.test(`with ${module}`, { skip }, () => {
      assert.equal(Number(run(script, join(out, 'embeddings'))), 39)
    })
  }
})

test('when an older version published the table then it is read, and the next run copies from it', async () => {
  const path = join(folder, 'older')
  await embedded(path)
  // Parquet files with the others, and one link.
  const table = join(path, 'tables/1')
  for (const name of readdirSync(join(table, 'parquet'))) renameSync(join(table, 'parquet', name), join(table, name))
  for (const name of ['tables/1/parquet', 'table', 'embeddings']) rmSync(join(path, name), { recursive: true })
  symlinkSync('tables/1', join(path, 'embeddings'))
  for (const one of [path, join(path, 'embeddings')]) EmbeddingTable.open(one).close()
  const { computed, unchanged, broken: number } = await embedded(path)
  assert.deepEqual([computed, unchanged, number], [0, 39, 3])
  assert.deepEqual(readdirSync(join(path, 'embeddings')), ['part-00000.parquet'])
  assert.ok(readFileSync(join(path, 'table/manifest.json')).length > 0)
})
