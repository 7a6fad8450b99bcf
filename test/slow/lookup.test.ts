/** Click models on the same vectors from a published table and from Parquet, as float32 and as int8. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { literal } from '../../src/data/tables/duckdb.js'
import { type EmbeddingTable, type Id, nearestRows } from '../../src/store/index.js'
import { mim, mimJson } from '../commands/cli.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'
import { madeTable } from '../store/madeTable.js'

const [db, folder] = [await openDatabase(), await temporaryFolder()]
const at = (name: string) => join(folder, name)
const tables: Record<string, EmbeddingTable> = {}

before(async () => {
  await mimJson(['sample', '--out', at('data'), '--impressions', '20000', '--history', '40'])
  // Nine items in ten have a vector.
  const { ids, vectors } = await db.columns(
    `SELECT item_id AS ids, embedding AS vectors FROM read_parquet(${literal(at('data/embeddings.parquet'))})
     WHERE item_id % 10 <> 0 ORDER BY item_id`,
    { ids: 'int64', vectors: 'float32[]' },
  )
  const start = new Map(Array.from(ids, (id, i): [Id, number] => [id, vectors.offsets[i]]))
  const pick = (id: Id) => vectors.values.slice(start.get(id)!, start.get(id)! + vectors.offsets[1])
  for (const type of ['float32', 'int8'] as const) {
    tables[type] = await madeTable(at(type), 'BIGINT', Array.from(ids), type, pick)
    mkdirSync(at(`${type}-parquet`))
    copyFileSync(at(`${type}/parquet/part-00000.parquet`), at(`${type}-parquet/part-00000.parquet`))
  }
})

// Embedding tables of ids are regularized, so that a small model that overfits does not magnify rounding of vectors.
const small = ['model.dim=4', 'model.contentDim=8', 'model.head=[8]', 'train.learningRate=0.01', 'train.tableL2=1e-3']
const train = ['ctr', '--epochs', '1', '--batch', '256', '--model', 'ciubm', ...small.flatMap((one) => ['--set', one])]

async function metricsOn(name: string) {
  const out = at(`on ${name}`)
  const metrics = await mimJson([...train, '--data', at('data'), '--embeddings', at(name), '--out', out])
  return Object.fromEntries(Object.entries(metrics).filter(([key]) => /auc|logloss|calibration/.test(key)))
}

test('when vectors are looked up, as float32 or int8, then the metrics are those from Parquet and of each other', async () => {
  const [exact, small] = [await metricsOn('float32'), await metricsOn('int8')]
  assert.ok(Number(exact['auc']) > 0.6, `${exact['auc']}`)
  assert.deepEqual(await metricsOn('float32-parquet'), exact)
  assert.deepEqual(await metricsOn('int8-parquet'), small)
  const apart = Math.abs(Number(exact['auc']) - Number(small['auc']))
  assert.ok(apart > 0 && apart <= 0.001, `AUC of int8 ${small['auc']}, of float32 ${exact['auc']}`)
})

test('when some items have no vector then they count as misses', async () => {
  const args = [...train, '--data', at('data'), '--embeddings', at('int8'), '--out', at('missed'), '--dry-run']
  const { stderr } = await mim(args)
  assert.match(stderr, /impressions → vectors: (89|90)\.\d %/)
})

test('when vectors are int8 then nearly all of the ten nearest items are those of float32', () => {
  const { float32, int8 } = tables
  const rows = Array.from({ length: float32.manifest.rows }, (_, row) => row)
  const near = (table: EmbeddingTable) => nearestRows(table, table.vectorsAt(Int32Array.from(rows)), 10, rows)
  const [exact, small] = [near(float32), near(int8)]
  const hits = exact.flatMap((found, q) => found.filter(({ row }) => small[q].some((one) => one.row === row)))
  const recall = hits.length / (10 * rows.length)
  assert.ok(recall >= 0.97 && recall < 1, `Recall@10 ${recall}`)
})
