/** Values of features that training refuses, counts or warns of. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ctrConfig } from '../../../src/config/ctr.js'
import { loadConfig } from '../../../src/config/load.js'
import { DataFacts } from '../../../src/data/facts.js'
import { loadDataset } from '../../../src/stages/ctr/load.js'
import { openTables } from '../../data/tables.js'
import { assertRefused } from '../../errors/refused.js'

const { db, folder, write } = await openTables()
const rows = 400

/** SQL of a column `x` of the impressions, `i` is their number, and of the items, `n` is theirs. */
interface Values {
  shown?: string
  sold?: string
}

/** Facts of a data set with the values as a feature of a kind. */
async function load({ shown, sold }: Values, kind: string): Promise<DataFacts> {
  const time = "TIMESTAMP '2024-03-01' + to_minutes(i)"
  await write(
    'impressions',
    `SELECT i % 7 AS user_id, i % 50 AS item_id, i % 3 % 2 AS label, ${time} + INTERVAL 1 DAY AS ts, ${shown ?? 0} AS x FROM range(${rows}) r(i)`,
  )
  await write(
    'behaviors',
    `SELECT i % 7 AS user_id, i % 50 AS item_id, 'click' AS action, ${time} AS ts FROM range(100) r(i)`,
  )
  await write('items', `SELECT n AS item_id, ${sold ?? 0} AS x FROM range(60) r(n)`)
  const feature = `[{column: x, kind: ${kind}}]`
  const features = sold ? `{items: ${feature}}` : `{items: [], context: ${feature}}`
  const sets = [`data.root=${folder}`, 'model.name=din', `features=${features}`]
  const facts = new DataFacts()
  const data = await loadDataset(db, loadConfig(ctrConfig, { sets }), { facts })
  data.store.close()
  return facts
}

const warned = async (values: Values, kind: string) => (await load(values, kind)).warnings.map(({ id }) => id)

describe('Numbers', () => {
  test('when a number is infinite or too large for float32 then the run stops and names its row', async () => {
    const at = (value: string) => `CASE WHEN i = 7 THEN ${value} ELSE i / 10 END`
    for (const kind of ['number', 'bucket']) {
      await assertRefused(
        () => load({ shown: at("'-inf'::DOUBLE") }, kind),
        'number-value',
        /column 'x', row 8: -inf; expected/,
      )
      await assertRefused(
        () => load({ shown: at('1e300') }, kind),
        'number-value',
        /impressions\.parquet: column 'x', row 8: 1e\+300/,
      )
    }
    const sold = "CASE WHEN n = 7 THEN 'inf'::FLOAT ELSE n END"
    await assertRefused(() => load({ sold }, 'number'), 'number-value', /items\.parquet: column 'x', row 8: inf/)
  })

  test('when numbers are null or NaN then their share is a fact', async () => {
    const shown = "CASE WHEN i % 10 = 0 THEN NULL WHEN i % 10 = 1 THEN 'nan'::DOUBLE ELSE i END"
    const notes = async (...of: Parameters<typeof load>) => (await load(...of)).notes.join('\n')
    assert.match(await notes({ shown }, 'number'), /feature x: 20\.0 % of impressions have no number/)
    // Items that the catalogue lacks do not count.
    assert.match(await notes({ sold: 'CASE WHEN n < 15 THEN n END' }, 'number'), /75\.0 % of items/)
    assert.doesNotMatch(await notes({ shown: 'i' }, 'number'), /feature x/)
  })

  test('when a column is no number and no category then it is refused by its type', async () => {
    const refused: [string, string, RegExp][] = [
      ['{a: 1, b: [i]}', 'number', /column 'x': the column is STRUCT/],
      ['{a: 1, b: [i]}', 'category', /the column is STRUCT.*expected numbers, strings/],
      ['MAP {i: i}', 'number', /the column is MAP/],
      ['[{a: i}]', '{kind: list, length: 2}', /the column is STRUCT/],
      ['ts::TIMESTAMP', 'category', /the column is TIMESTAMP.*the hour or the day of the week/],
      ['INTERVAL 1 DAY', 'number', /the column is INTERVAL/],
      ["'a'", 'number', /the column is VARCHAR; expected a number/],
      ['[i]', 'category', /the column is (INTEGER|BIGINT)\[\]; expected one value per row/],
    ]
    for (const [shown, kind, message] of refused) {
      const sql = shown.replace('ts::', "'2024-03-01'::")
      const given = kind.startsWith('{') ? kind.slice(7, -1) : kind
      await assertRefused(() => load({ shown: sql }, given), 'column-type', message)
    }
  })
})

describe('Features of little use', () => {
  test('when a feature has one value, or none, then it is warned of', async () => {
    for (const kind of ['number', 'bucket', 'category']) {
      assert.deepEqual(await warned({ shown: '1' }, kind), ['feature-constant'])
      assert.deepEqual(await warned({ shown: 'NULL::DOUBLE' }, kind), ['feature-constant'])
      assert.deepEqual(await warned({ shown: 'CASE WHEN i % 2 = 0 THEN 1 END' }, kind), [])
    }
    assert.deepEqual(await warned({ sold: '1' }, 'category'), ['feature-constant'])
  })

  test('when a measured quantity is a category then a warning names kind: number', async () => {
    const { warnings } = await load({ shown: 'CAST(i AS DOUBLE) / 7' }, 'category')
    assert.deepEqual(
      warnings.map(({ id }) => id),
      ['feature-continuous'],
    )
    assert.match(warnings[0].what, /280 distinct values in 280 impressions/)
    assert.match(warnings[0].remedy!, /kind: number/)
    assert.deepEqual(await warned({ shown: 'CAST((i % 120) / 7 AS DECIMAL(9, 2))' }, 'category'), [
      'feature-continuous',
    ])
    assert.deepEqual(await warned({ shown: "(i + 0.5) || ''" }, 'category'), ['feature-continuous'])
    assert.deepEqual(await warned({ sold: 'n + 0.99' }, 'category'), ['feature-continuous'])
    assert.deepEqual(await warned({ shown: '(i % 12) / 10' }, 'category'), [])
    assert.deepEqual(await warned({ shown: 'CAST(i % 120 AS DOUBLE)' }, 'category'), [])
  })

  test('when a category has about as many values as rows then it is warned of', async () => {
    assert.deepEqual(await warned({ shown: "'request ' || i" }, 'category'), ['feature-unique'])
    assert.deepEqual(await warned({ shown: 'i' }, 'category'), ['feature-unique'])
    assert.deepEqual(await warned({ sold: "'name ' || n" }, 'category'), ['feature-unique'])
    assert.deepEqual(await warned({ shown: 'i % 100' }, 'category'), [])
  })
})
