import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { openTables } from '../data/tables.js'
import { sharedFile } from '../fixtures.js'

const { db, folder, write } = await openTables()

const draw = (salt: number, below: number) => `CAST(hash(hash(i, ${salt})) % ${below} AS INTEGER)`
const small = [
  'model.dim=4',
  'model.head=[8]',
  'model.attention=[4]',
  'model.contentDim=4',
  'train.batch=64',
  'train.epochs=1',
]
const run = (preset: string, data: string, ...sets: string[]) => {
  const all = [...small, ...sets].flatMap((set) => ['--set', set])
  return mimJson(['ctr', '--config', preset, '--data', data, '--out', join(folder, 'runs', preset), ...all])
}

/** Item 0 fills lists up and has a row of its own, as in the files of the challenge. */
async function microlens(): Promise<string> {
  mkdirSync(join(folder, 'microlens'))
  const seq = (i: string) => `list_transform(range(100), lambda k: CASE WHEN k < 100 - (${i} % 90) THEN 0
    ELSE CAST(1 + (${i} * 7 + k * 13) % 60 AS BIGINT) END)`
  const rows = (
    from: number,
    to: number,
  ) => `SELECT i AS user_id, ${seq('i')} AS item_seq, 1 + ${draw(1, 60)} AS item_id,
    ${draw(2, 11)} AS likes_level, ${draw(3, 11)} AS views_level, CAST(${draw(4, 3)} = 0 AS TINYINT) AS label
    FROM range(${from}, ${to}) r(i)`
  await write('microlens/train', rows(0, 400))
  await write('microlens/valid', rows(400, 520))
  await write(
    'microlens/item_info',
    `SELECT i AS item_id, [1 + ${draw(5, 20)}, 1 + ${draw(6, 20)}, 0, 0, 0] AS item_tags,
       list_transform(range(128), lambda j: CASE WHEN i = 0 THEN 0 ELSE CAST(sin(i * j) AS FLOAT) END)::FLOAT[] AS item_emb_d128
     FROM range(61) r(i)`,
  )
  return join(folder, 'microlens')
}

/** Ids of 64 bits of either sign; labels are lists of one; vectors are int8 and some are missing. */
async function taobao(): Promise<string> {
  for (const part of ['', 'train', 'test']) mkdirSync(join(folder, 'taobao', part), { recursive: true })
  const id = (n: string) => `CAST(9007199254740993 + ${n} AS BIGINT) * CASE WHEN (${n}) % 2 = 0 THEN -1 ELSE 1 END`
  const rows = (
    from: number,
    to: number,
  ) => `SELECT [CAST(${draw(1, 4)} = 0 AS TINYINT)] AS label_0, ${id('i % 50')} AS "129_1",
    ${[1, 2, 3, 4, 5].map((n) => `CAST(${draw(10 + n, 5)} AS BIGINT) AS "130_${n}"`).join(', ')},
    CASE WHEN i % 9 = 0 THEN [0::BIGINT] ELSE list_transform(range(i % 120), lambda k: ${id('(i * 3 + k) % 40')}) END AS "150_2_180",
    CASE WHEN i % 9 = 0 THEN [0::BIGINT] ELSE list_transform(range(i % 120), lambda k: CAST((i * 3 + k) % 40 % 6 AS BIGINT)) END
      AS "151_2_180",
    ${id('i * 5 % 40')} AS "205", CAST(i * 5 % 40 % 6 AS BIGINT) AS "206", CAST(${draw(3, 4)} AS BIGINT) AS "213",
    CAST(${draw(4, 4)} AS BIGINT) AS "214" FROM range(${from}, ${to}) r(i)`
  for (const [name, from] of [
    ['train/train-shard-000000', 0],
    ['train/train-shard-000001', 200],
    ['test/test-shard-000000', 400],
  ] as const) {
    await write(`taobao/${name}`, rows(from, from + 200))
  }
  await write(
    'taobao/scl_embedding_int8_p90',
    `SELECT ${id('i')} AS "205", list_transform(range(128), lambda j: CAST(127 * sin(i * j) AS TINYINT)) AS "205_c" FROM range(35) r(i)`,
  )
  return join(folder, 'taobao')
}

describe('Presets of public benchmarks', () => {
  test('when files are of the shape of MicroLens-1M then its preset trains on them', async () => {
    const data = await microlens()
    const metrics = await run('microlens/ctr', data, `data.embeddings=${join(data, 'item_info.parquet')}`)
    assert.deepEqual([metrics['test_impressions'], metrics['steps']], [120, 6])
    assert.ok(Number.isFinite(metrics['auc']))
  })

  test('when files are of the shape of TAOBAO-MM then its preset trains on them, by either search', async () => {
    const data = await taobao()
    const embeddings = `data.embeddings=${join(data, 'scl_embedding_int8_p90.parquet')}`
    const metrics = await run('taobao-mm/ctr', data, embeddings, 'model.behaviorSearch.topK=5')
    assert.deepEqual([metrics['test_impressions'], metrics['steps']], [200, 6])
    assert.ok(Number.isFinite(metrics['auc']))
    const { ids } = await db.row<{ ids: bigint }>(
      `SELECT count(DISTINCT item_id) AS ids FROM read_parquet('${folder}/runs/taobao-mm/ctr/predictions.parquet')
       WHERE abs(item_id) > 9007199254740992`,
    )
    assert.equal(ids, 8n)
    const hard = await mim([
      ...[
        'ctr',
        '--config',
        'taobao-mm/ctr',
        '--data',
        data,
        '--out',
        join(folder, 'runs/hard'),
        '--model',
        'sim-hard',
      ],
      ...small.flatMap((set) => ['--set', set]),
    ])
    assert.equal(hard.code, 0, hard.stderr)
  })

  const obd = sharedFile('data/obd')
  test('when impressions name no user then the preset of OBD trains, and GAUC is not defined', obd, async () => {
    const metrics = await run('obd/ctr', obd.path, 'train.batch=512', 'data.leaks=stop')
    assert.equal(metrics['test_impressions'], 8000)
    assert.equal(metrics['gauc'], null, 'a user of one impression has one class')
    assert.ok(Number.isFinite(metrics['auc']))
  })
})
