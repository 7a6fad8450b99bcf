import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { checkDrift, checkVectors } from '../../../src/stages/embed/check.js'
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
