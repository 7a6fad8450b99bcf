import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Database } from '../../../src/data/tables/duckdb.js'

test('when something is asked while a result is read in batches then it fails, and the result is whole', async () => {
  const db = await Database.open()
  await db.run('CREATE TABLE other (i INTEGER)')
  let rows = 0
  for await (const batch of db.batches('SELECT i FROM range(500000) t(i)', { i: 'int32' })) {
    rows += batch.rows
    await assert.rejects(db.row('SELECT 1'), /while a result was being read in batches/)
    await assert.rejects(db.insert('other', [[1]]), /while a result was being read in batches/)
  }
  assert.equal(rows, 500_000)
  for await (const _ of db.batches('SELECT i FROM range(500000) t(i)', { i: 'int32' })) break
  assert.equal(await db.count('other'), 0)
  db.close()
})

test('when columns are inserted then the table has their rows in order, nulls and bytes too', async () => {
  const db = await Database.open()
  await db.run('CREATE TABLE t (i INTEGER, name VARCHAR, bytes BLOB, big BIGINT, x FLOAT)')
  await db.insert('t', [
    [1, null],
    ['ä', ''],
    [Uint8Array.of(0, 255), null],
    [2n ** 60n, -1n],
    Float32Array.of(0.1, -2),
  ])
  // More rows than DuckDB takes in one chunk.
  const many = Int32Array.from({ length: 5000 }, (_, i) => 10 + i)
  const nulls = Array.from(many, () => null)
  await db.insert('t', [many, nulls, nulls, nulls, many])
  const [first, second] = await db.rows('FROM t LIMIT 2')
  assert.deepEqual(first, { i: 1, name: 'ä', bytes: Buffer.of(0, 255), big: 2n ** 60n, x: Math.fround(0.1) })
  assert.deepEqual(second, { i: null, name: '', bytes: null, big: -1n, x: -2 })
  const { i } = await db.columns('SELECT i FROM t WHERE i >= 10', { i: 'int32' })
  assert.deepEqual(i, many)
  db.close()
})
