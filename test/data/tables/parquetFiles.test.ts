import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { planClicks } from '../../../src/data/clicks/plan.js'
import { readClicks } from '../../../src/data/clicks/read.js'
import { openClicks } from '../../../src/data/clicks/tables.js'
import { DataFacts } from '../../../src/data/facts.js'
import { openTable } from '../../../src/data/tables/contract.js'
import { type Database, literal } from '../../../src/data/tables/duckdb.js'
import { openDatabase, temporaryFolder } from '../../sample/folders.js'
import { parquetFile } from './parquetFiles.js'

interface Figures {
  rows: number
  label_sum: number
  hist_len_sum: number
  null_hist: number
  price_sum: number
  emb_sum: number
}

const expected: Figures = JSON.parse(readFileSync(parquetFile('expected.json').path, 'utf8'))
const db = await openDatabase()
const folder = await temporaryFolder()

const columns = {
  user: 'user_id',
  item: 'item_id',
  label: 'label',
  time: 'ts',
  action: 'action',
  history: 'hist_items',
}
const category = { kind: 'category' as const, name: null, column: 'category', table: null, minCount: null }

/** Impressions, and the categories that they have. */
async function impressionsOf(path: string) {
  const options = {
    data: { columns },
    history: { actions: [], length: 1000, padding: null },
    features: { user: true, items: [], context: [category], history: [] },
  }
  const sources = { impressions: path, behaviors: '', columns, timeUnit: 'auto' as const, timeZone: null }
  const plan = planClicks(options, await openClicks(db, sources, new DataFacts()))
  const { impressions, numbers } = await readClicks(db, plan)
  const named = `SELECT value FROM ${numbers.byTable['category'].name} ORDER BY number`
  const { value } = await db.columns(named, { value: 'string' })
  const codes = impressions.context[0].codes!.read()
  return { ...impressions, categories: Array.from(codes, (code) => (code < 0 ? null : value[code])) }
}

const sum = (values: Iterable<number>) => [...values].reduce((total, x) => total + x, 0)

/** The figures of a table, all of them from columns as our readers hand them out. */
async function figures(database: Database, path: string): Promise<Figures> {
  const { source, rows } = await openTable(database, path, {
    user_id: { type: 'id' },
    item_id: { type: 'id' },
    label: { type: 'label' },
    price: { type: 'number' },
    category: { type: 'text' },
    ts: { type: 'time' },
    hist_items: { type: 'ids' },
    emb: { type: 'vector' },
  })
  const read = await database.columns(
    `SELECT label, coalesce(price, 0) AS price, hist_items, hist_items IS NULL AS no_history, emb FROM ${source}`,
    { label: 'uint8', price: 'float64', hist_items: 'int32[]', no_history: 'uint8', emb: 'float32[]' },
  )
  assert.equal(read.rows, rows)
  assert.equal(read.emb.values.length, 8 * rows)
  assert.equal(read.hist_items.offsets.length, rows + 1)
  return {
    rows,
    label_sum: sum(read.label),
    hist_len_sum: read.hist_items.values.length,
    null_hist: sum(read.no_history),
    price_sum: sum(read.price),
    emb_sum: sum(read.emb.values),
  }
}

async function checkFigures(path: string): Promise<void> {
  const { price_sum, emb_sum, ...counts } = await figures(db, path)
  const { price_sum: price, emb_sum: emb, ...whole } = expected
  assert.deepEqual(counts, whole)
  assert.ok(Math.abs(price_sum - price) < 1e-6, `${price_sum}`)
  assert.ok(Math.abs(emb_sum - emb) < 1e-3, `${emb_sum}`)
  const { rows, label, behaviorItem, historyEnd, historyStart, categories } = await impressionsOf(path)
  assert.equal(rows, expected.rows)
  assert.equal(label.sum(), expected.label_sum)
  assert.equal(historyEnd.sum() - historyStart.sum(), expected.hist_len_sum)
  assert.ok(behaviorItem.length <= expected.hist_len_sum)
  assert.deepEqual(
    [...new Set(categories)].sort(),
    ['c0', 'c1', 'c2', 'c3', 'c4', null].sort(),
    'categories, null among them',
  )
}

describe('Parquet files of other programs', () => {
  for (const name of [
    'duckdb.parquet',
    'polars.parquet',
    'pyarrow_default.parquet',
    'pyarrow_dictionary.parquet',
    'pyarrow_large_list.parquet',
    'pyarrow_nodict_none.parquet',
    'pyarrow_zstd_rowgroups.parquet',
    'hive',
    'many',
  ]) {
    const { path, skip } = parquetFile(name)
    test(`when ${name} is read then its figures are those that it was written with`, { skip }, () => checkFigures(path))
  }

  test('when a table is a hive folder, parts in a folder, or a glob then the whole is read', async () => {
    const whole = `(FROM read_parquet(${literal(parquetFile('polars.parquet').path)}))`
    const hive = join(folder, 'hive')
    const parts = join(folder, 'parts')
    await db.run(`COPY ${whole} TO ${literal(hive)} (FORMAT parquet, PARTITION_BY (category))`)
    await db.run(
      `COPY (SELECT *, user_id AS part FROM ${whole}) TO ${literal(parts)} (FORMAT parquet, PARTITION_BY (part))`,
    )
    for (const path of [hive, parts, join(parts, '*', '*.parquet')]) await checkFigures(path)
  })

  test('when a table has columns but no rows then it is read as such', async () => {
    const { path } = parquetFile('empty.parquet')
    const nothing = { rows: 0, label_sum: 0, hist_len_sum: 0, null_hist: 0, price_sum: 0, emb_sum: 0 }
    assert.deepEqual(await figures(db, path), nothing)
    assert.equal((await impressionsOf(path)).rows, 0)
  })
})
