import assert from 'node:assert/strict'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { newModel } from '../../../src/checkpoint/create.js'
import { literal } from '../../../src/data/tables/duckdb.js'
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

/** A checkpoint without weights: tables are checked before these are read. */
async function checkpoint(): Promise<string> {
  const shape = { imageSize: 16, patch: 8, width: 8, layers: 1, heads: 2, textLength: 8, projection: 8 }
  const { configJson, tokenizer } = newModel({ ...shape, vocabulary: 514, tokenizer: null }, [])
  const path = join(folder, 'checkpoint')
  await mkdir(path)
  await writeFile(join(path, 'config.json'), JSON.stringify(configJson))
  await writeFile(join(path, 'tokenizer.json'), JSON.stringify(tokenizer.tokenizer))
  return path
}
const encoder = await checkpoint()

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
    assert.ok(line.includes(`${path}: column 'embedding', row 4: nan; expected finite numbers; correct or drop`), line)
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
