import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type ColumnRule, findTable, openTable } from '../../../src/data/tables/contract.js'
import { literal } from '../../../src/data/tables/duckdb.js'
import { openTables } from '../tables.js'
import { parquetFile } from './parquetFiles.js'

const { db, folder, write } = await openTables()

describe('Contracts of tables', () => {
  const cases: [string, ColumnRule, string, { id: string; message: RegExp }][] = [
    ['an id is null', { type: 'id' }, "('a'), (NULL)", { id: 'id-value', message: /row 2: null; expected an id/ }],
    [
      'an id is a fraction',
      { type: 'id' },
      '(1.5::DOUBLE)',
      { id: 'id-value', message: /row 1: 1.5; expected whole numbers/ },
    ],
    ['an id repeats', { type: 'id', unique: true }, '(1), (2), (1)', { id: 'duplicate-id', message: /row 3: 1 / }],
    [
      'several ids are null',
      { type: 'id' },
      "('a'), (NULL), ('b'), (NULL)",
      { id: 'id-value', message: /row 2: null; such values in 2 of 4 rows; expected .*; correct or drop the rows$/ },
    ],
    ['a label is null', { type: 'label' }, '(1), (NULL)', { id: 'label-value', message: /row 2: null; expected 0/ }],
    ['a label is a half', { type: 'label' }, '(0), (0.5)', { id: 'label-value', message: /row 2: 0.5; expected 0/ }],
    ['a label is not a number', { type: 'label' }, "('NaN'::FLOAT)", { id: 'label-value', message: /row 1: nan/ }],
    ['a time is a float32', { type: 'time' }, '(1::FLOAT)', { id: 'column-type', message: /is FLOAT; .*timestamp/ }],
    ['a title is a number', { type: 'text' }, '(1)', { id: 'column-type', message: /is INTEGER; expected string/ }],
    ['a picture is a number', { type: 'image' }, '(1)', { id: 'column-type', message: /expected one picture: binary/ }],
    ['a vector is infinite', { type: 'vector' }, "([1::FLOAT, 'inf'])", { id: 'vector-value', message: /row 1: inf/ }],
    [
      'a vector has a gap',
      { type: 'vector' },
      '([1::FLOAT, NULL])',
      { id: 'vector-value', message: /expected finite/ },
    ],
    ['a vector holds texts', { type: 'vector' }, "(['1'])", { id: 'column-type', message: /is VARCHAR\[\]; expected/ }],
    ['a history is no list', { type: 'ids' }, '(1)', { id: 'column-type', message: /expected a list/ }],
  ]
  for (const [name, rule, values, { id, message }] of cases) {
    test(`when ${name} then it is refused with file, column and value`, async () => {
      const path = await write('bad', `SELECT * FROM (VALUES ${values}) AS t(x)`)
      await assert.rejects(openTable(db, path, { x: rule }), (error: Error & { id: string }) => {
        assert.equal(error.id, id)
        assert.ok(error.message.startsWith(`${path}: column 'x'`), error.message)
        assert.match(error.message, message)
        return true
      })
    })
  }

  test('when columns have any of the types that the contract allows then they are taken', async () => {
    const path = await write(
      'good',
      `SELECT 1::UBIGINT AS id, true AS label, 1::DECIMAL(3, 1) AS also, DATE '2024-01-01' AS ts, [1.0::DOUBLE] AS v,
         [1, 2]::INTEGER[2] AS list, NULL::VARCHAR AS title, 'x'::BLOB AS image, NULL::BIGINT AS request`,
    )
    const { rows, columns } = await openTable(db, path, {
      id: { type: 'id', unique: true },
      label: { type: 'label' },
      also: { type: 'label' },
      ts: { type: 'time' },
      v: { type: 'vector' },
      list: { type: 'ids' },
      title: { type: 'text' },
      image: { type: 'image' },
      request: { type: 'id', nullable: true },
      missing: { type: 'number', optional: true },
    })
    assert.equal(rows, 1)
    assert.equal(columns.has('missing'), false)
  })

  test('when an id repeats in two parts then the later place is named as it is', async () => {
    const parts = join(folder, 'parts')
    await mkdir(parts, { recursive: true })
    await write('parts/a', 'SELECT 100 - i AS x FROM range(50) r(i)')
    await write('parts/b', 'SELECT i AS x FROM (VALUES (7), (60), (8)) t(i)')
    await assert.rejects(openTable(db, parts, { x: { type: 'id', unique: true } }), (error: Error) => {
      assert.ok(error.message.startsWith(`${join(parts, 'b.parquet')}: column 'x', row 2: 60 occurs 2 times`))
      return true
    })
  })

  test('when a table has a column of its own called filename then it is read', async () => {
    const path = await write('names', "SELECT 1 AS x, 'a' AS filename")
    assert.equal((await openTable(db, path, { x: { type: 'id', unique: true } })).rows, 1)
  })

  test('when parts of a table differ in their columns then they are matched by name', async () => {
    const parts = join(folder, 'grown')
    await mkdir(parts, { recursive: true })
    await write('grown/a', 'SELECT 1 AS x')
    await write('grown/b', "SELECT 'new' AS y, 2 AS x")
    const { source, rows } = await openTable(db, parts, { x: { type: 'id' }, y: { type: 'text' } })
    assert.equal(rows, 2)
    assert.deepEqual(await db.rows(`SELECT x, y FROM ${source} ORDER BY x`), [
      { x: 1, y: null },
      { x: 2, y: 'new' },
    ])
  })

  test('when the pages of a column are damaged then reading it names the file, whenever that is', async () => {
    const bytes = await readFile(parquetFile('polars.parquet').path)
    // The footer at the end stays whole, so that the table opens.
    bytes.fill(0xa5, 100, Math.floor(bytes.length * 0.9))
    const path = join(folder, 'damaged.parquet')
    await writeFile(path, bytes)
    const { source } = await openTable(db, path, {})
    const query = `SELECT emb FROM ${source}`
    const refusal = { id: 'table-unreadable', message: new RegExp(`^${path}: cannot be read as Parquet: `) }
    await assert.rejects(db.columns(query, { emb: 'float32[]' }), refusal)
    await assert.rejects(db.run(`CREATE OR REPLACE TEMP TABLE t AS ${query}`), refusal)
  })

  test('when the name of a folder has quotes or signs of a pattern then it is read; without parts it is missing', async () => {
    const odd = join(folder, "it's [1] *")
    await mkdir(odd)
    await assert.rejects(openTable(db, odd, {}), { id: 'table-missing' })
    await db.run(`COPY (SELECT 1 AS x) TO ${literal(join(odd, 'a.parquet'))}`)
    for (const path of [odd, join(odd, 'a.parquet')]) assert.equal((await openTable(db, path, {})).rows, 1)
  })

  test('when a column has lists of times, numbers or weights then its type is refused', async () => {
    const path = join(folder, 'lists.parquet')
    const lists = { time: "[TIMESTAMP '2024-01-01']", number: '[0.5]', weight: '[1.5::DECIMAL(4, 2)]' } as const
    const columns = Object.entries(lists).map(([name, value]) => `${value} AS ${name}`)
    await db.run(`COPY (SELECT ${columns.join(', ')}) TO ${literal(path)}`)
    for (const type of ['time', 'number', 'weight'] as const) {
      await assert.rejects(openTable(db, path, { [type]: { type } }), { id: 'column-type', message: /\[\]; expected / })
    }
  })

  test('when a vector has a number beyond float32 then column, row and value are named', async () => {
    const path = join(folder, 'doubles.parquet')
    await db.run(`COPY (SELECT [1.0::DOUBLE, if(i = 2, -1e300, 3.4e38)] AS v FROM range(4) r(i)) TO ${literal(path)}`)
    const message = /: column 'v', row 3: -1e\+300; expected finite numbers of float32, at most 3.4e38; /
    await assert.rejects(openTable(db, path, { v: { type: 'vector' } }), { id: 'vector-value', message })
  })

  test('when a table is in a bucket and its extension is not there then the table and the extension are named', async () => {
    await db.run('SET autoinstall_known_extensions = false')
    await db.run(`SET extension_directory = ${literal(join(folder, 'none'))}`)
    const message = /^s3:\/\/shop\/x\.parquet: DuckDB's extension 'httpfs' is needed .*; install it/
    await assert.rejects(openTable(db, 's3://shop/x.parquet', {}), { id: 'extension-missing', message })
  })

  test('when a table is named as a file but is a folder of parts then the folder is found', async () => {
    await mkdir(join(folder, 'items'))
    assert.equal(findTable(folder, 'items.parquet'), join(folder, 'items'))
    assert.equal(findTable(folder, 'other.parquet'), join(folder, 'other.parquet'))
    assert.equal(findTable(folder, 's3://bucket/items.parquet'), 's3://bucket/items.parquet')
    assert.equal(findTable(folder, '/far/items.parquet'), '/far/items.parquet')
  })
})
