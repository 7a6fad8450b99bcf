import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { planClicks } from '../../../src/data/clicks/plan.js'
import { readClicks } from '../../../src/data/clicks/read.js'
import { openClicks } from '../../../src/data/clicks/tables.js'
import { DataFacts } from '../../../src/data/facts.js'
import { type ColumnRule, openTable } from '../../../src/data/tables/contract.js'
import { literal } from '../../../src/data/tables/duckdb.js'
import { openTables } from '../tables.js'

const { db, folder, write } = await openTables()

let tables = 0

/** Opens a table of parts, each a SELECT; gives type and ids of column x as texts, and what was noted. */
async function opened(rule: ColumnRule, ...queries: string[]) {
  const name = `parts-${tables++}`
  await mkdir(join(folder, name))
  for (const [i, query] of queries.entries()) await write(`${name}/${i}`, query)
  const facts = new DataFacts()
  const { source, columns } = await openTable(db, join(folder, name), { x: rule }, facts)
  const rows = await db.rows<{ x: string }>(`SELECT CAST(x AS VARCHAR) AS x FROM ${source}`)
  return { type: columns.get('x'), ids: rows.map(({ x }) => x), facts }
}

describe('Ids', () => {
  const [odd, most] = ['9007199254740993', '18446744073709551615']
  const cases: [name: string, type: string, ids: string[], ...queries: string[]][] = [
    ['int64 and uint64', 'BIGINT', [odd, '7'], `SELECT ${odd}::BIGINT AS x`, 'SELECT 7::UBIGINT AS x'],
    ['int64 and uint64 beyond int64', 'UBIGINT', ['7', most], 'SELECT 7::BIGINT AS x', `SELECT ${most}::UBIGINT AS x`],
    ['negative and beyond int64', 'VARCHAR', ['-7', most], 'SELECT -7::BIGINT AS x', `SELECT ${most}::UBIGINT AS x`],
    ['int32 and uint32', 'BIGINT', ['-1', '4294967295'], 'SELECT -1::INTEGER AS x', 'SELECT 4294967295::UINTEGER AS x'],
    ['DECIMAL(38,0)', 'BIGINT', [odd], `SELECT ${odd}::DECIMAL(38,0) AS x`],
    ['DECIMAL(38,0) beyond uint64', 'VARCHAR', [`${most}0`], `SELECT ${most}0::DECIMAL(38,0) AS x`],
    ['DECIMAL with a scale but no fraction', 'BIGINT', ['12'], 'SELECT 12::DECIMAL(10,2) AS x'],
    ['int64 and DECIMAL', 'BIGINT', [odd, '5'], `SELECT ${odd}::BIGINT AS x`, 'SELECT 5::DECIMAL(20,0) AS x'],
    ['whole doubles', 'BIGINT', ['1000', '-3'], 'SELECT unnest([1000.0, -3.0])::DOUBLE AS x'],
    ['int64 and whole doubles', 'BIGINT', ['1000', '3'], 'SELECT 1000 AS x', 'SELECT 3.0::DOUBLE AS x'],
    [
      'UUID',
      'VARCHAR',
      ['00000000-0000-0000-0000-00000000000a'],
      "SELECT '00000000-0000-0000-0000-00000000000a'::UUID AS x",
    ],
    ['uint64', 'UBIGINT', ['7'], 'SELECT 7::UBIGINT AS x'],
    ['int8', 'TINYINT', ['7'], 'SELECT 7::TINYINT AS x'],
  ]
  for (const [name, type, ids, ...queries] of cases) {
    test(`when ids are ${name} then they are read as ${type}, exactly`, async () => {
      const found = await opened({ type: 'id', unique: true }, ...queries)
      assert.deepEqual([found.type, found.ids], [type, ids])
    })
  }

  test('when ids are doubles then the notes say so; as text there is a warning', async () => {
    const doubles = await opened({ type: 'id' }, 'SELECT 3.0::DOUBLE AS x')
    assert.match(doubles.facts.notes[0], /column 'x' is DOUBLE: ids are read as BIGINT$/)
    const text = await opened({ type: 'id' }, 'SELECT -7::BIGINT AS x', `SELECT ${most}::UBIGINT AS x`)
    assert.deepEqual(
      text.facts.warnings.map(({ id }) => id),
      ['ids-as-text'],
    )
  })

  const mixed: [name: string, rule: 'id' | 'ids', what: RegExp, ...queries: string[]][] = [
    ['numbers and text', 'id', /text here but numbers in .*0\.parquet/, 'SELECT 1.0 AS x', "SELECT '1' AS x"],
    ['booleans and numbers', 'id', /numbers here but booleans/, 'SELECT true AS x', 'SELECT 2 AS x'],
    ['lists of numbers and of text', 'ids', /lists of text here/, 'SELECT [1] AS x', "SELECT ['1'] AS x"],
  ]
  for (const [name, type, what, ...queries] of mixed) {
    test(`when the parts of a table have ids of ${name} then they are refused by file`, async () => {
      await assert.rejects(opened({ type }, ...queries), (error: { id: string; message: string }) => {
        assert.equal(error.id, 'id-parts')
        assert.match(error.message, /1\.parquet: column 'x'/)
        return what.test(error.message)
      })
    })
  }

  test('when a part has no value in a column of another type then the ids are those of the others', async () => {
    const rule = { type: 'id', nullable: true } as const
    const found = await opened(rule, "SELECT 'a' AS x", 'SELECT CAST(NULL AS INTEGER) AS x')
    assert.deepEqual([found.type, found.ids], ['VARCHAR', ['a', null]])
    const lists = await opened({ type: 'ids' }, "SELECT ['a'] AS x", 'SELECT CAST([] AS INTEGER[]) AS x')
    assert.equal(lists.type, 'VARCHAR[]')
  })

  test('when a struct has a field with the name of the ids then its type does not matter', async () => {
    const found = await opened({ type: 'id' }, 'SELECT 1 AS x', "SELECT 2 AS x, {'x': 'a'} AS other")
    assert.deepEqual(found.ids, ['1', '2'])
  })

  test('when ids are lists then the column is refused', async () => {
    await assert.rejects(opened({ type: 'id' }, 'SELECT [1000] AS x'), { id: 'column-type' })
  })

  const bad: [name: string, id: string, message: RegExp, ...queries: string[]][] = [
    [
      'a fraction',
      'id-value',
      /row 2: 1\.5; expected whole numbers below 2\^53: the column is DOUBLE/,
      'SELECT unnest([1, 1.5])::DOUBLE AS x',
    ],
    ['a decimal fraction', 'id-value', /row 1: 1\.50; expected whole numbers;/, 'SELECT 1.5::DECIMAL(10,2) AS x'],
    ['NaN', 'id-value', /row 1: nan/, "SELECT 'nan'::DOUBLE AS x"],
    // 2^53 + 1 of one part and 2^53 are the same double.
    [
      'int64 beyond 2^53 next to doubles',
      'id-value',
      /0\.parquet: column 'x', row 1: 9007199254740992/,
      `SELECT ${odd} AS x`,
      'SELECT 3.0::DOUBLE AS x',
    ],
    ['boolean', 'column-type', /column 'x' is BOOLEAN; expected int64 or string/, 'SELECT true AS x'],
    ['dates', 'column-type', /column 'x' is DATE/, "SELECT DATE '2024-01-01' AS x"],
    ['bytes', 'column-type', /column 'x' is BLOB/, "SELECT 'a'::BLOB AS x"],
  ]
  for (const [name, id, message, ...queries] of bad) {
    test(`when an id is ${name} then it is refused by name`, async () => {
      await assert.rejects(opened({ type: 'id' }, ...queries), { id, message })
    })
  }

  test('when lists have ids of other types then they are read exactly, or refused by row', async () => {
    const mixed = await opened({ type: 'ids' }, `SELECT [${odd}]::BIGINT[] AS x`, 'SELECT [7, NULL]::UBIGINT[] AS x')
    assert.deepEqual([mixed.type, mixed.ids], ['BIGINT[]', [`[${odd}]`, '[7, NULL]']])
    const doubles = await opened({ type: 'ids' }, 'SELECT [3.0, NULL]::DOUBLE[] AS x')
    assert.deepEqual([doubles.type, doubles.ids], ['BIGINT[]', ['[3, NULL]']])
    await assert.rejects(opened({ type: 'ids' }, 'SELECT [3.0, 1.5]::DOUBLE[] AS x'), {
      id: 'id-value',
      message: /row 1: 1\.5/,
    })
  })
})

/** Predictions as `mim ctr` names them: the ids of all impressions, by users and items that were numbered. */
async function namedIds(ofImpressions: string, ofItems: string, shift: bigint) {
  const ids = (type: string) => `(${shift} + i)::${type} AS item_id`
  const impressions = await write(
    'impressions',
    `SELECT (${shift} + 100 + i)::${ofImpressions} AS user_id, ${ids(ofImpressions)}, 1 + i AS ts, i % 2 AS label FROM range(4) r(i)`,
  )
  const behaviors = await write(
    'behaviors',
    `SELECT (${shift} + 100 + i)::${ofItems} AS user_id, ${ids(ofItems)}, 'click' AS action, 0 AS ts FROM range(4) r(i)`,
  )
  const items = await write('items', `SELECT ${ids(ofItems)}, 'c' AS category FROM range(4) r(i)`)
  const columns = { user: 'user_id', item: 'item_id', label: 'label', time: 'ts', action: 'action', history: null }
  const sources = { impressions, behaviors, items, columns, timeUnit: 's', timeZone: null } as const
  const tables = await openClicks(db, sources, new DataFacts())
  const options = {
    data: { columns },
    history: { actions: ['click'], length: 5, padding: null },
    features: {
      user: true,
      items: [{ kind: 'category' as const, name: null, column: 'category', table: null, minCount: null }],
      context: [],
      history: [],
    },
  }
  const { impressions: read, numbers } = await readClicks(db, planClicks(options, tables))
  await db.run('CREATE OR REPLACE TEMP TABLE scored (row INTEGER, usr INTEGER, item INTEGER)')
  await db.insert('scored', [read.user.read().map((_, i) => i), read.user.read(), read.item.read()])
  const path = join(folder, 'predictions.parquet')
  await db.writeParquet(
    `SELECT user_id, item_id FROM scored ${numbers.joinUsers} ${numbers.joinItems} ORDER BY row`,
    path,
  )
  const rows = `SELECT typeof(item_id) AS type, CAST(user_id AS VARCHAR) AS u, CAST(item_id AS VARCHAR) AS x`
  const found = await db.rows<{ type: string; u: string; x: string }>(`${rows} FROM read_parquet(${literal(path)})`)
  return {
    type: found[0].type,
    users: found.map(({ u }) => BigInt(u) - shift),
    items: found.map(({ x }) => BigInt(x) - shift),
    behaviors: read.behaviorItem.length,
  }
}

describe('Ids of several tables', () => {
  for (const [ofImpressions, ofItems, shift, type] of [
    ['UBIGINT', 'BIGINT', 2n ** 53n + 1n, 'BIGINT'],
    ['BIGINT', 'DECIMAL(38,0)', 2n ** 53n + 1n, 'BIGINT'],
    ['UBIGINT', 'DECIMAL(38,0)', 2n ** 63n + 11n, 'UBIGINT'],
    ['INTEGER', 'DOUBLE', 1000n, 'INTEGER'],
  ] as const) {
    test(`when impressions have ${ofImpressions} and other tables ${ofItems} then outputs have the ids of the input`, async () => {
      const found = await namedIds(ofImpressions, ofItems, shift)
      assert.deepEqual(found.items, [0n, 1n, 2n, 3n])
      assert.deepEqual(found.users, [100n, 101n, 102n, 103n])
      assert.equal(found.behaviors, 4)
      assert.equal(found.type, type === 'INTEGER' ? 'BIGINT' : type)
    })
  }

  test('when no type of Parquet has all ids then outputs have them as text', async () => {
    const path = join(folder, 'huge.parquet')
    await db.writeParquet('SELECT -1::HUGEINT AS x, {a: 18446744073709551615::HUGEINT} AS s', path)
    assert.deepEqual(await db.rows(`FROM read_parquet(${literal(path)})`), [
      { x: '-1', s: { a: '18446744073709551615' } },
    ])
  })

  test('when lists of ids are all empty, without a type, then they suit ids of any type', async () => {
    for (const id of ["'sku-' || i", 'i']) {
      const path = await write('lists', `SELECT ${id} AS item_id, []::INTEGER[] AS hist FROM range(3) r(i)`)
      const { columns } = await openTable(db, path, {
        item_id: { type: 'id' },
        hist: { type: 'ids', like: 'item_id' },
      })
      assert.equal(columns.get('hist'), `${columns.get('item_id')}[]`)
    }
  })
})
