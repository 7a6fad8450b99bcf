import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UserError } from '../../src/base/errors.js'
import { type ColumnRule, openTable } from '../../src/data/tables/contract.js'
import { openTables } from '../data/tables.js'

const { db, rows: writeRows } = await openTables()

/** Columns with values that their rules accept, and values that they refuse, as SQL. */
const columns: Record<string, { rule: ColumnRule; good: string[]; bad: string[]; type: string }> = {
  item_id: { rule: { type: 'id' }, good: ['1', '2', '-3'], bad: ['NULL'], type: 'BIGINT' },
  label: { rule: { type: 'label' }, good: ['0', '1'], bad: ['NULL', '2', '0.5', "'nan'"], type: 'DOUBLE' },
  weight: { rule: { type: 'weight' }, good: ['0', '0.5', '7'], bad: ['NULL', '-1', "'inf'", "'nan'"], type: 'DOUBLE' },
  vector: {
    rule: { type: 'vector' },
    good: ['[1, 2]', '[]'],
    bad: ['[1, NULL]', "['inf']", "['nan', '0']"],
    type: 'FLOAT[]',
  },
}
const names = Object.keys(columns)

const row = fc.record(Object.fromEntries(names.map((name) => [name, fc.constantFrom(...columns[name].good)])))
const fault = fc
  .constantFrom(...names)
  .chain((column) =>
    fc.record({ column: fc.constant(column), at: fc.nat(20), value: fc.constantFrom(...columns[column].bad) }),
  )

test('when a table has values against its contract then it is refused by id, column and row, and else accepted', async () => {
  const rules = Object.fromEntries(names.map((name) => [name, columns[name].rule]))
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 12 }),
      fc.array(fault, { maxLength: 2 }),
      async (good, faults) => {
        const table = good.map((values) => ({ ...values }))
        for (const { column, at, value } of faults) table[at % table.length][column] = value
        const tuples = table.map((values) => `(${names.map((name) => `${values[name]}::${columns[name].type}`)})`)
        const path = await writeRows('table', names.join(), ...tuples)
        if (faults.length === 0) {
          assert.equal((await openTable(db, path, rules)).rows, table.length)
          return
        }
        await assert.rejects(openTable(db, path, rules), (error) => {
          assert.ok(error instanceof UserError, String(error))
          const places = faults.map(({ column, at }) => ({ column, row: (at % table.length) + 1 }))
          const isOf = ({ column, row }: { column: string; row: number }) =>
            error.id === `${columns[column].rule.type}-value` &&
            error.message.includes(`column '${column}', row ${row}: `)
          assert.ok(places.some(isOf), `${error.id}: ${error.message} but ${JSON.stringify(places)}`)
          return true
        })
      },
    ),
    { numRuns: 30 },
  )
})

test('when a column is missing or of any other type then it is refused by name, or accepted', async () => {
  const types = [
    'BIGINT',
    'VARCHAR',
    'DOUBLE',
    'FLOAT[]',
    'BLOB',
    'TIMESTAMP',
    'BIGINT[]',
    'BOOLEAN',
    'STRUCT(a INTEGER)',
  ]
  const rule = fc.record({
    type: fc.constantFrom<ColumnRule['type']>(
      'id',
      'text',
      'image',
      'label',
      'weight',
      'time',
      'number',
      'vector',
      'ids',
    ),
    optional: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...types), rule, fc.constantFrom('x', 'y'), async (type, one, name) => {
      const path = await writeRows('typed', 'x, z', `(NULL::${type}, 1)`)
      try {
        await openTable(db, path, { [name]: one })
      } catch (error) {
        assert.ok(error instanceof UserError, String(error))
        assert.ok(error.message.includes(`column '${name}'`), error.message)
      }
    }),
    { numRuns: 30 },
  )
})
