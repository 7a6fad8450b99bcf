import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, mock, test } from 'node:test'
import { Database } from '../../src/data/tables/duckdb.js'
import { writeTable } from '../../src/stages/embed/publish.js'
import {
  Cursor,
  compareIds,
  EmbeddingTable,
  type Id,
  mergedRows,
  nearestRows,
  type VectorType,
} from '../../src/store/index.js'
import { temporaryFolder } from '../sample/folders.js'
import { madeTable, vectorOf, width } from './madeTable.js'

const folder = await temporaryFolder()
const db = await Database.open()
after(() => db.close())
const tableOf = (name: string, idType: string, ids: Id[], type: VectorType = 'float32') =>
  madeTable(join(folder, name), idType, ids, type)

/** Number of open files of this process, where the system lists them. */
const openFiles = () => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0)

const sorted = (ids: Id[]) => ids.sort(compareIds)
const parquet = (name: string) => `read_parquet('${join(folder, name)}/parquet/*.parquet')`

/** Ids of each kind, more than a block of them, with those that are hard to get right. */
const kinds: Record<string, { idType: string; ids: Id[]; absent: Id[] }> = {
  integers: {
    idType: 'BIGINT',
    ids: sorted([-5n, 0n, 2n ** 53n + 1n, 2n ** 62n, ...Array.from({ length: 30_000 }, (_, i) => BigInt(10 + 7 * i))]),
    absent: [-6n, 11n, 2n ** 53n, 2n ** 62n + 1n],
  },
  unsigned: { idType: 'UBIGINT', ids: sorted([1n, 2n ** 64n - 1n]), absent: [0n, 2n ** 63n] },
  strings: {
    idType: 'VARCHAR',
    ids: sorted(['', 'Ä', '商品', '😀', '\uffff', ...Array.from({ length: 2000 }, (_, i) => `sku-${i}`)]),
    absent: ['sku-2000', 'sku', 'é'],
  },
}

for (const [name, { idType, ids, absent }] of Object.entries(kinds)) {
  describe(`Embedding tables of ${name}`, () => {
    test('when ids are looked up in any order then each has its vector and a miss is a miss', async () => {
      const table = await tableOf(name, idType, ids)
      const wanted = [...ids.filter((_, i) => i % 97 < 2).reverse(), ...absent, ids[0], ids[ids.length - 1]]
      const { vectors, found } = table.get(wanted)
      for (const [i, id] of wanted.entries()) {
        assert.equal(found[i], absent.includes(id) ? 0 : 1, `id ${id}`)
        const expected = found[i] ? vectorOf(id) : new Float32Array(width)
        assert.deepEqual(vectors.subarray(i * width, (i + 1) * width), expected, `id ${id}`)
      }
      const image = table.get(ids.slice(0, 4), 'image_embedding')
      assert.deepEqual(
        [...image.found],
        ids.slice(0, 4).map((_, i) => (i % 3 === 0 ? 0 : 1)),
      )
      assert.deepEqual(table.get([]).found.length, 0)
      table.close()
    })

    test('when it is read as Parquet then the rows are the same, in order, with ids of the type they had', async () => {
      const rows = await db.rows<{ id: string; e: number[]; image: number[] | null; hash: string; type: string }>(
        `SELECT CAST(item_id AS VARCHAR) AS id, embedding AS e, image_embedding AS image, content_hash AS hash,
           typeof(item_id) AS type FROM ${parquet(name)}`,
      )
      assert.deepEqual(
        rows.map(({ id }) => id),
        ids.map(String),
      )
      for (const i of [0, 1, ids.length - 1]) {
        assert.deepEqual(rows[i].e, Array.from(vectorOf(ids[i])))
        assert.equal(rows[i].image === null, i % 3 === 0)
        assert.equal(rows[i].hash, Buffer.alloc(16, (i % 2048) % 251).toString('hex'))
        assert.equal(rows[i].type, idType)
      }
    })
  })
}

test('when vectors are int8 then they are near, a quarter of the size, and Parquet contains the scale', async () => {
  const ids = Array.from({ length: 500 }, (_, i) => BigInt(i))
  const table = await tableOf('int8', 'INTEGER', ids, 'int8')
  const { vectors } = table.get(ids)
  ids.forEach((id, i) => {
    vectorOf(id).forEach((x, k) => {
      assert.ok(Math.abs(x - vectors[i * width + k]) <= 0.5 / 127 + 1e-6)
    })
  })
  const { e, type } = await db.row<{ e: number[]; type: string }>(
    `SELECT embedding AS e, typeof(embedding) AS type FROM ${parquet('int8')} LIMIT 1`,
  )
  assert.equal(type, 'TINYINT[]')
  const { scale } = await db.row<{ scale: string }>(
    `SELECT decode(value) AS scale FROM parquet_kv_metadata('${join(folder, 'int8')}/parquet/part-00000.parquet')
     WHERE decode(key) = 'scale'`,
  )
  assert.deepEqual(
    e.map((x) => Math.fround(x * Number(scale))),
    Array.from(vectors.subarray(0, width)),
  )
  table.close()
})

test('when the nearest rows are searched then they have the greatest cosines, without the query itself', async () => {
  const table = EmbeddingTable.open(join(folder, 'strings'))
  const { strings } = kinds
  const query = vectorOf(strings.ids[3])
  const cosine = (id: Id) => vectorOf(id).reduce((sum, x, k) => sum + x * query[k], 0)
  const expected = strings.ids.filter((_, i) => i !== 3).sort((a, b) => cosine(b) - cosine(a))
  const [near] = nearestRows(table, query, 5, [3])
  assert.deepEqual(
    near.map(({ row }) => strings.ids[row]),
    expected.slice(0, 5),
  )
  assert.ok(near.every(({ row, score }) => Math.abs(score - cosine(strings.ids[row])) < 1e-6))
  table.close()
})

test('when a folder is no table, or a file of one is cut short, then it is refused by name', () => {
  assert.throws(() => EmbeddingTable.open(join(folder, 'nowhere')), { id: 'store-missing', message: /nowhere/ })
  const file = join(folder, 'unsigned/text_embedding.npy')
  truncateSync(file, statSync(file).size - 1)
  const before = openFiles()
  assert.throws(() => EmbeddingTable.open(join(folder, 'unsigned')), { id: 'store-broken', message: /text_embedding/ })
  assert.equal(openFiles(), before)
})

test('when writing a table fails half-way then its error is reported and no file or database stays open', async () => {
  const place = join(folder, 'failing')
  mkdirSync(place)
  const table = EmbeddingTable.open(join(folder, 'integers'))
  const [opened, closed] = [mock.method(Database, 'open'), mock.method(Database.prototype, 'close')]
  const before = openFiles()
  const rows = mergedRows(
    [new Cursor(table.ids, table.rows)],
    ([cursor], id) => {
      // The first Parquet file is being written then.
      if (id === 10n + 7n * 25_000n) throw new Error('the disk has failed')
      return cursor
    },
    table.rows,
  )
  const write = writeTable(place, rows, table.manifest, true, () => {})
  await assert.rejects(write, { message: 'the disk has failed' })
  assert.equal(openFiles(), before)
  assert.ok(opened.mock.callCount() > 0)
  assert.equal(closed.mock.callCount(), opened.mock.callCount())
  mock.restoreAll()
  table.close()
})
