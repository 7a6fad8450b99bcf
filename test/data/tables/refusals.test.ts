import assert from 'node:assert/strict'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { literal } from '../../../src/data/tables/duckdb.js'
import { writeSmallCheckpoint } from '../../checkpoint/small.js'
import { refusal, setArguments } from '../../refusal.js'
import { openDatabase, temporaryFolder } from '../../sample/folders.js'
import { parquetFile } from './parquetFiles.js'

const db = await openDatabase()
const folder = await temporaryFolder()
const write = async (name: string, query: string) => {
  const path = join(folder, name)
  await db.run(`COPY (${query}) TO ${literal(path)} (FORMAT parquet)`)
  return path
}

const good = `read_parquet(${literal(parquetFile('polars.parquet').path)})`
const items = await write('items.parquet', 'SELECT i AS item_id FROM range(400) r(i)')
const ids = `SELECT row_number() OVER () - 1 AS item_id`

/** `mim ctr` on the impressions of a fixture, which bring their histories along. */
const ctr = (impressions: string, more: Record<string, unknown> = {}) => [
  'ctr',
  ...setArguments({
    'data.impressions': impressions,
    'data.columns.history': 'hist_items',
    'data.items': items,
    'features.items': [],
    'model.name': 'din',
    ...more,
  }),
]

const encoder = join(folder, 'checkpoint')
writeSmallCheckpoint(encoder)

describe('Columns that the user names and a table lacks', () => {
  const behaviors = write(
    'log.parquet',
    "SELECT 1 AS user_id, 1 AS item_id, 'click' AS action, TIMESTAMP '2024-01-01' AS ts, 'hat' AS query_text",
  )
  const named = (options: Record<string, unknown>) => setArguments({ 'data.items': items, ...options })
  const sft = async (options: Record<string, unknown>) => [
    'sft',
    '--init',
    encoder,
    ...named({ 'data.behaviors': await behaviors, ...options }),
  ]
  const clicks = (options: Record<string, unknown>) => ctr(parquetFile('polars.parquet').path, options)
  for (const [name, args, message] of [
    ['pretrain', () => ['pretrain', ...named({ 'data.columns.title': 'product_name' })], /'product_name' is missing;/],
    [
      'embed',
      () => ['embed', '--checkpoint', encoder, ...named({ 'data.columns.image': 'itemid' })],
      /did you mean 'item_id'/,
    ],
    ['sft', () => sft({ 'data.columns.category': 'itemid' }), /'itemid' is missing; did you mean 'item_id'/],
    ['sft', () => sft({ 'data.behaviorColumns.queryText': 'query_txt' }), /did you mean 'query_text'/],
    ['sft', () => sft({ 'data.behaviorColumns.request': 'request' }), /column 'request' is missing/],
    ['ctr', () => clicks({ 'data.columns.weight': 'lable' }), /'lable' is missing; did you mean 'label'/],
    ['ctr', () => clicks({ 'features.items': ['itemid'] }), /'itemid' is missing; did you mean 'item_id'/],
    ['ctr', () => clicks({ 'features.context': ['lable'] }), /'lable' is missing; did you mean 'label'/],
  ] as const) {
    test(`when ${name} is given one (${message.source}) then it refuses`, async () => {
      const line = await refusal(await args(), join(folder, 'named'), 'column-missing')
      assert.match(line, message)
    })
  }
})

describe('Tables without rows', () => {
  const impressions = "SELECT 1 AS user_id, 1 AS item_id, TIMESTAMP '2024-01-01' AS ts, 1 AS label"
  const behaviors = "SELECT 1 AS user_id, 1 AS item_id, TIMESTAMP '2023-12-31' AS ts, 'click' AS action"
  const vectors = 'SELECT 1 AS item_id, [1.0::FLOAT] AS embedding'
  const tables = { impressions, behaviors, items: 'SELECT 1 AS item_id, 1 AS kind', vectors }
  for (const role of Object.keys(tables)) {
    test(`when the table of ${role} has no rows then ctr names it`, async () => {
      const out = join(folder, `no-${role}`)
      const paths: Record<string, string> = {}
      for (const [name, query] of Object.entries(tables))
        paths[name] = await write(`${role}-${name}.parquet`, name === role ? `${query} LIMIT 0` : query)
      const options = {
        'data.impressions': paths['impressions'],
        'data.behaviors': paths['behaviors'],
        'data.items': paths['items'],
        'data.embeddings': paths['vectors'],
        'features.items': ['kind'],
        'model.name': 'content',
      }
      const line = await refusal(['ctr', ...setArguments(options)], out, 'table-empty')
      assert.ok(line.includes(`${paths[role]}: the table of ${role} has no rows; expected at least one row`), line)
    })
  }

  test('when behaviors have no rows then sft names them', async () => {
    const path = await write('sft-behaviors.parquet', `${behaviors} LIMIT 0`)
    const args = ['sft', '--init', encoder, ...setArguments({ 'data.items': items, 'data.behaviors': path })]
    const line = await refusal(args, join(folder, 'sft-empty'), 'table-empty')
    assert.ok(line.includes(`${path}: the table of behaviors has no rows`), line)
  })
})

describe('Bad tables given to the stage that reads them', { concurrency: 2 }, () => {
  const unreadable = /cannot be read as Parquet: .+; expected complete Parquet files; write or copy the file again$/
  for (const [name, id, rest] of [
    ['bad_garbage', 'table-unreadable', unreadable],
    ['bad_truncated', 'table-unreadable', unreadable],
    ['bad_zero_bytes', 'table-unreadable', unreadable],
    ['bad_label_type', 'column-type', /column 'label' is VARCHAR; expected 0 or 1; cast the column .+$/],
    ['bad_label_value', 'label-value', /column 'label', row 8: 3; expected 0 or 1; correct or drop the row$/],
    ['bad_no_label', 'column-missing', /column 'label' is missing; .+ the table has user_id, item_id, .+ emb$/],
  ] as const) {
    const { path, skip } = parquetFile(`${name}.parquet`)
    test(`when impressions are ${name} then ctr says where, what and what to do`, { skip }, async () => {
      const line = await refusal(ctr(path), join(folder, name), id)
      assert.ok(line.startsWith(`error [${id}]: ${path}: `), line)
      assert.match(line, rest)
    })
  }

  const nan = parquetFile('bad_nan_embedding.parquet')
  test('when a vector has a NaN then ctr names file, column, row and value', { skip: nan.skip }, async () => {
    const path = await write('nan.parquet', `${ids}, emb AS embedding FROM read_parquet(${literal(nan.path)})`)
    const impressions = parquetFile('polars.parquet').path
    const out = join(folder, 'nan')
    const line = await refusal(
      ctr(impressions, { 'model.name': 'content', 'data.embeddings': path }),
      out,
      'vector-value',
    )
    assert.ok(
      line.includes(
        `${path}: column 'embedding', row 4: nan; expected finite numbers of float32, at most 3.4e38; correct or drop`,
      ),
      line,
    )
  })

  test('when items repeat an id then pretrain names it', async () => {
    const path = await write('twice.parquet', 'SELECT i % 3 AS item_id FROM range(4) r(i)')
    const line = await refusal(
      ['pretrain', ...setArguments({ 'data.items': path })],
      join(folder, 'twice'),
      'duplicate-id',
    )
    assert.ok(line.includes(`${path}: column 'item_id', row 4: 0 occurs 2 times; expected unique ids; drop`), line)
  })

  test('when one part of a folder is damaged then embed names the part', async () => {
    const { path } = parquetFile('bad_truncated.parquet')
    const parts = join(folder, 'parts')
    await mkdir(parts)
    await write('parts/0.parquet', 'SELECT 1 AS item_id')
    await copyFile(path, join(parts, '1.parquet'))
    const args = ['embed', '--checkpoint', encoder, ...setArguments({ 'data.items': parts })]
    const line = await refusal(args, join(folder, 'damaged'), 'table-unreadable')
    assert.ok(line.includes(join(parts, '1.parquet')), line)
  })

  test('when behaviors have other item ids than the catalogue then sft says so', async () => {
    const path = await write(
      'behaviors.parquet',
      `SELECT 'u' AS user_id, 'sku-1' AS item_id, 'click' AS action, TIMESTAMP '2024-01-01' AS ts FROM ${good}`,
    )
    const args = ['sft', '--init', encoder, ...setArguments({ 'data.items': items, 'data.behaviors': path })]
    const line = await refusal(args, join(folder, 'other'), 'id-types')
    assert.match(line, /item ids are string here but integer in .+; expected the same type everywhere; cast/)
  })
})
