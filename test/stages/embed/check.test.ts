import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { checkCoverage, checkDrift, checkVectors } from '../../../src/stages/embed/check.js'
import { fingerprint } from '../../../src/stages/embed/duplicates.js'
import { openTables } from '../../data/tables.js'
import { madeTable } from '../../store/madeTable.js'

const { db, folder, write } = await openTables()

/** Two different vectors with the same fingerprint: its lower half can be chosen, its upper half has 32 bits only. */
function colliding(): [Float32Array, Float32Array] {
  const random = Random.of('collision')
  const seen = new Map<bigint, Float32Array>()
  for (;;) {
    const words = Uint32Array.of(0x3f000000 | random.int(2 ** 23), 0x3f000000 | random.int(2 ** 23), 0)
    // The hash multiplies by an odd number, so the last word decides the lower half.
    const multiply = (low: number, word: number) => Math.imul(low ^ word, 0x01000193)
    words[2] = multiply(multiply(0x811c9dc5, words[0]), words[1]) ^ 0x3f123456
    const vector = new Float32Array(words.buffer)
    const print = fingerprint(vector)
    const other = seen.get(print)
    if (other && Buffer.compare(new Uint8Array(other.buffer), new Uint8Array(vector.buffer)) !== 0)
      return [other, vector]
    if (Number.isFinite(vector[2])) seen.set(print, vector)
  }
}

test('when different vectors have the same fingerprint then only equal ones count as duplicates', async () => {
  const [one, other] = colliding()
  assert.equal(fingerprint(one), fingerprint(other))
  const vectors = [one, other, other, one, Float32Array.of(1, 0, 0)]
  const ids = vectors.map((_, i) => BigInt(i))
  const table = await madeTable(join(folder, 'table'), 'BIGINT', ids, 'float32', (id) => vectors[Number(id)].slice())
  assert.equal(checkVectors(table).duplicates, 2)
  table.close()
})

test('when vectors are stored as int8 then equal ones count as duplicates', async () => {
  const ids = [0n, 1n, 2n, 3n]
  const unit = (id: bigint | string) => Float32Array.from([0, 1, 2], (k) => (k === Number(id) % 2 ? 1 : 0))
  const table = await madeTable(join(folder, 'int8'), 'BIGINT', ids, 'int8', unit)
  const { duplicates, problems } = checkVectors(table)
  assert.deepEqual([duplicates, problems], [2, []])
  table.close()
})

test('when drift is asked for by a category that the catalogue lacks then it is refused, unless it is the default', async () => {
  const unit = () => Float32Array.of(1, 0)
  using table = await madeTable(join(folder, 'drift'), 'BIGINT', [1n, 2n], 'float32', unit)
  const path = await write('catalogue', "SELECT 1 AS item_id, 'x' AS brand")
  const drift = (category: string) => checkDrift(db, table, table, { path, id: 'item_id', category })
  assert.deepEqual((await drift('category')).by_category, [])
  await assert.rejects(drift('brnad'), { id: 'column-missing', message: /did you mean 'brand'/ })
})

test('when no id of a log has a vector, or ids are written differently, then it is a problem with ids of both sides', async () => {
  const unit = () => Float32Array.of(1, 0)
  const covered = async (name: string, type: string, ids: (bigint | string)[], items: string) => {
    using table = await madeTable(join(folder, name), type, ids, 'float32', unit)
    return await checkCoverage(
      db,
      table,
      await write(name, `SELECT ${items} AS item_id FROM range(10) r(i)`),
      'item_id',
    )
  }
  const texts = Array.from({ length: 10 }, (_, i) => `${100 + i}`)
  const numbers = texts.map(BigInt)
  const strangers = await covered('strangers', 'BIGINT', numbers, '500 + i')
  assert.deepEqual([strangers.rows, strangers.rows_covered], [10, 0])
  assert.match(strangers.problems[0], /none of 10 found; not found: '500', '501', '502'.*'100', '101', '102'/)
  const fractions = await covered('fractions', 'BIGINT', numbers, "100 + i || '.0'")
  assert.match(fractions.problems[0], /'100\.0'.*'100'.*'\.0'/)
  const half = await covered('half', 'VARCHAR', texts, "CASE WHEN i < 5 THEN '0' ELSE '' END || 100 + i")
  assert.deepEqual([half.rows_covered, half.problems.length], [0.5, 1])
  assert.match(half.problems[0], /leading zeros/)
  assert.deepEqual((await covered('new', 'BIGINT', numbers, '105 + i')).problems, [])
})
