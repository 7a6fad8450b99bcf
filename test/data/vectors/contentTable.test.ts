import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DataFacts } from '../../../src/data/facts.js'
import { loadContent, sideBySide } from '../../../src/data/vectors/contentTable.js'
import { madeTable, width } from '../../store/madeTable.js'
import { openTables } from '../tables.js'

const { db, write, folder } = await openTables()
await db.run('CREATE TEMP TABLE numbers AS SELECT 10 * i AS item_id, CAST(i AS INTEGER) AS item FROM range(4) r(i)')
const source = { item: 'item_id', embedding: 'embedding', scale: 1, normalize: false }
const loadAs = async (type: 'float32' | 'int8', ...tuples: string[]) => {
  const query = `SELECT item_id, v::FLOAT[] AS embedding FROM (VALUES ${tuples.join(', ')}) AS t(item_id, v)`
  const path = await write('vectors', query)
  return loadContent(db, { ...source, path, type }, 'numbers', 4)
}
const load = (...tuples: string[]) => loadAs('float32', ...tuples)

describe('Content vectors', () => {
  test('when items have no vector then they look up a row of zeros, and unknown items are left out', async () => {
    const { width, vectors, rowOf, rows } = await load('(30, [3, 4])', '(10, [1, 2])', '(20, NULL)', '(70, [7, 8])')
    assert.equal(width, 2)
    assert.equal(rows, 3)
    const vectorOf = (item: number) => [...vectors.subarray(rowOf[item] * width, (rowOf[item] + 1) * width)]
    assert.deepEqual([0, 1, 2, 3].map(vectorOf), [
      [0, 0],
      [1, 2],
      [0, 0],
      [3, 4],
    ])
  })

  test('when vectors are zero, of any norm or all the same then facts tell their norms and each is warned of', async () => {
    const look = async (normalize: boolean, ...tuples: string[]) => {
      const facts = new DataFacts()
      const query = `SELECT item_id, v::FLOAT[] AS embedding, 1 AS page FROM (VALUES ${tuples.join(', ')}) AS t(item_id, v)`
      const path = await write('vectors', query)
      await loadContent(db, { ...source, normalize, path, type: 'int8' }, 'numbers', 4, facts)
      return { table: facts.tables[0], warned: facts.warnings.map(({ id }) => id) }
    }
    const odd = ['(10, [3, 4])', '(20, [0, 0])', '(30, [0.6, 0.8])']
    const { table, warned } = await look(false, ...odd)
    assert.deepEqual([table.rows, table.width, table.unused], [3, 2, ['page']])
    assert.deepEqual(
      table.norms?.map((norm) => norm.toFixed(4)),
      ['1.0000', '5.0000'],
    )
    assert.deepEqual(warned, ['vector-zero', 'vector-norms'])
    assert.deepEqual((await look(true, ...odd)).warned, ['vector-zero', 'vector-same'])
    assert.deepEqual((await look(false, '(10, [1, 0])', '(20, [0.6, 0.8])')).warned, [])
  })

  test('when vectors differ in length, are not finite or their ids of another type then the table is refused', async () => {
    await assert.rejects(load('(10, [1, 2])', '(20, [1, 2])', '(30, [1])'), {
      id: 'vector-lengths',
      message: /row 3: a vector of 1 numbers; 2 vectors have 2/,
    })
    await assert.rejects(load('(10, NULL)'), { id: 'vector-lengths', message: /every vector is null/ })
    await assert.rejects(load('(10, [1, 2])', "(20, ['nan'::FLOAT, 2])"), { id: 'vector-value' })
    await assert.rejects(load('(10, [1, 2])', '(10, [1, 2])'), { id: 'duplicate-id' })
    await assert.rejects(load("('10', [1, 2])"), { id: 'id-types' })
  })

  test('when vectors are held as int8 then scale times number is as near as rounding allows', async () => {
    const tuples = ['(0, [0.3, -1.7, 0.001])', '(10, [0.9, 0.55, 0])', '(30, [-0.6, 1.1, 0.8])']
    const [exact, small] = [await loadAs('float32', ...tuples), await loadAs('int8', ...tuples)]
    assert.equal(exact.scale, 1)
    assert.equal(small.vectors.byteLength * 4, exact.vectors.byteLength)
    assert.deepEqual(small.rowOf, Int32Array.of(1, 2, 0, 3))
    exact.vectors.forEach((x, i) => {
      assert.ok(Math.abs(small.vectors[i] * small.scale - x) <= small.scale * 0.5001, `${i}: ${x}`)
    })
  })

  for (const type of ['float32', 'int8'] as const) {
    test(`when ${type} tables stand side by side then similarities are means, of 0 where an item lacks a vector`, async () => {
      const first = await loadAs(type, '(0, [1, 0])', '(10, [0.6, 0.8])')
      const second = await loadAs(type, '(10, [0, 0, 0.5])', '(30, [0, 0.4, 0.3])')
      const { vectors, scale, width, rows, rowOf } = sideBySide([first, second])
      assert.deepEqual([width, rows, [...rowOf]], [5, 4, [1, 2, 0, 3]])
      const vectorOf = (item: number) =>
        [...vectors.subarray(rowOf[item] * width, (rowOf[item] + 1) * width)].map((x) => x * scale)
      const dot = (a: number, b: number) => vectorOf(a).reduce((sum, x, k) => sum + x * vectorOf(b)[k], 0)
      const expected: [number, number, number][] = [
        [0, 1, 0.6 / 2],
        [1, 3, 0.15 / 2],
        [0, 3, 0],
        [1, 1, 1.25 / 2],
      ]
      for (const [a, b, mean] of expected) assert.ok(Math.abs(dot(a, b) - mean) < 0.01, `${a}, ${b}: ${dot(a, b)}`)
      assert.deepEqual(vectorOf(2), [0, 0, 0, 0, 0])
    })
  }

  test('when all numbers are zero then they stay zero as int8', async () => {
    const { vectors, scale } = await loadAs('int8', '(10, [0, 0, 0])')
    assert.deepEqual([[...vectors], scale], [[0, 0, 0, 0, 0, 0], 1])
  })

  test('when a table of other names holds int8 of a scale then it is read as it is, or scaled to length 1', async () => {
    const path = await write('bytes', 'SELECT 10 AS id, [127, -127, 64]::TINYINT[] AS v')
    const bytes = { path, item: 'id', embedding: 'v', scale: 1 / 127, normalize: false }
    const [held, exact, unit] = [
      await loadContent(db, { ...bytes, type: 'int8' }, 'numbers', 4),
      await loadContent(db, { ...bytes, type: 'float32' }, 'numbers', 4),
      await loadContent(db, { ...bytes, type: 'float32', normalize: true }, 'numbers', 4),
    ]
    assert.deepEqual([[...held.vectors.subarray(3)], held.scale], [[127, -127, 64], 1 / 127])
    assert.deepEqual([...exact.vectors.subarray(3)], [1, -1, Math.fround(64 / 127)])
    assert.ok(Math.abs(Math.hypot(...unit.vectors.subarray(3)) - 1) < 1e-6)
  })

  test('when the footer has the scale of int8 vectors then no option is needed', async () => {
    const path = await write('scaled', 'SELECT 10 AS item_id, [127, -127, 64]::TINYINT[] AS embedding')
    const copy = path.replace('scaled', 'footer')
    await db.writeParquet(`SELECT * FROM read_parquet('${path}')`, copy, 100, { scale: String(1 / 127) })
    const held = await loadContent(db, { ...source, path: copy, type: 'int8' }, 'numbers', 4)
    assert.deepEqual([[...held.vectors.subarray(3)], held.scale], [[127, -127, 64], 1 / 127])
    const exact = await loadContent(db, { ...source, path: copy, type: 'float32' }, 'numbers', 4)
    assert.deepEqual([...exact.vectors.subarray(3)], [1, -1, Math.fround(64 / 127)])
  })
})

describe('Content vectors of a published table', () => {
  const rowBytes = 4 * width
  const headerBytes = 128

  /** Ids 0 to 1999 as integers or strings, and a copy of their Parquet that no manifest stands beside. */
  async function published(name: string, idType: string, type: 'float32' | 'int8') {
    const path = join(folder, name)
    const ids = Array.from({ length: 2000 }, (_, i) => (idType === 'VARCHAR' ? String(i).padStart(4, '0') : BigInt(i)))
    const table = await madeTable(path, idType, ids, type)
    table.close()
    mkdirSync(`${path}-parquet`)
    copyFileSync(join(path, 'parquet/part-00000.parquet'), join(`${path}-parquet`, 'part-00000.parquet'))
    // Every seventh item, backwards, and some that no table has.
    const id = idType === 'VARCHAR' ? "format('{:04d}', 7 * i)" : '7 * i'
    await db.run(`CREATE OR REPLACE TEMP TABLE wanted AS
      SELECT ${id} AS item_id, CAST(299 - i AS INTEGER) AS item FROM range(300) r(i)`)
    return path
  }

  for (const idType of ['BIGINT', 'UBIGINT', 'VARCHAR']) {
    for (const type of ['float32', 'int8'] as const) {
      test(`when ${type} vectors of ${idType} ids are looked up then all is as from Parquet`, async () => {
        const path = await published(`${type}-${idType}`, idType, type)
        for (const held of ['float32', 'int8'] as const) {
          for (const more of [{}, { normalize: true }, { embedding: 'image_embedding' }, { scale: 0.5 }]) {
            const read = (from: string) =>
              loadContent(db, { ...source, ...more, path: from, type: held }, 'wanted', 300)
            const [looked, joined] = [await read(path), await read(`${path}-parquet`)]
            assert.deepEqual(looked, joined)
            const found = 'embedding' in more ? 190 : 286
            assert.equal(looked.rows, 1 + found)
            assert.equal(looked.rowOf.filter((row) => row === 0).length, 300 - found)
          }
        }
      })
    }
  }

  test('when items are few then the vectors of others do not matter, and one that is no number is named', async () => {
    const path = await published('few', 'BIGINT', 'float32')
    const file = join(path, 'embedding.npy')
    const bytes = readFileSync(file)
    const load = () => loadContent(db, { ...source, path, type: 'float32' }, 'wanted', 300)
    bytes.writeFloatLE(Number.NaN, headerBytes + 8 * rowBytes)
    writeFileSync(file, bytes)
    assert.equal((await load()).rows, 287)
    bytes.writeFloatLE(Number.NaN, headerBytes + 14 * rowBytes)
    writeFileSync(file, bytes)
    await assert.rejects(load(), { id: 'vector-value', message: /column 'embedding': item 14: NaN/ })
  })

  test('when ids are of another type or a file of the table is cut short then it is refused', async () => {
    const path = await published('wrong', 'VARCHAR', 'int8')
    await assert.rejects(loadContent(db, { ...source, path, type: 'int8' }, 'numbers', 4), { id: 'id-types' })
    writeFileSync(join(path, 'embedding.npy'), readFileSync(join(path, 'embedding.npy')).subarray(0, -1))
    await assert.rejects(loadContent(db, { ...source, path, type: 'int8' }, 'wanted', 300), { id: 'store-broken' })
  })
})
