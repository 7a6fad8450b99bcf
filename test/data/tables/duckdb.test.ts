import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Database } from '../../../src/data/tables/duckdb.js'

test('when something is asked while a result is read in batches then it fails, and the result is whole', async () => {
  const db = await Database.open()
  await db.run('CREATE TABLE other (i INTEGER)')
  let rows = 0
  for await (const batch of db.batches('SELECT i FROM range(500000) t(i)', { i: 'int32' })) {
    rows += batch.rows
    await assert.rejects(db.row('SELECT 1'), /while a result was being read/)
    assert.throws(() => db.appender('other'), /while a result was being read/)
  }
  assert.equal(rows, 500_000)
  for await (const _ of db.batches('SELECT i FROM range(500000) t(i)', { i: 'int32' })) break
  assert.equal(await db.count('other'), 0)
  db.close()
})
