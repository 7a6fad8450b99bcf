import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { UserError } from '../../src/base/errors.js'
import { explain } from '../../src/config/explain.js'
import { presetNames } from '../../src/config/file.js'
import { loadConfig } from '../../src/config/load.js'
import { schemas } from '../../src/config/schemas.js'
import { shapeOf, unwrap } from '../../src/config/schemaTree.js'
import { temporaryFolder } from '../sample/folders.js'

const file = join(await temporaryFolder(), 'config.yaml')
const stages = Object.keys(schemas) as (keyof typeof schemas)[]
type Schema = (typeof schemas)[keyof typeof schemas]

/** Paths of all options of a schema, groups included. */
function pathsOf(schema: Schema, before: string[] = []): string[] {
  return Object.entries(shapeOf(unwrap(schema))).flatMap(([key, inner]) => {
    const path = [...before, key]
    return [path.join('.'), ...pathsOf(inner as Schema, path)]
  })
}

for (const stage of stages) {
  const schema = schemas[stage]
  const known = pathsOf(schema)
  const path = fc.oneof(
    fc.constantFrom(...known),
    fc.stringMatching(/^[a-z]{1,6}(\.[a-zA-Z]{1,6}){0,2}$/),
    fc.constantFrom(...known).map((one) => `${one}x`),
  )

  test(`when options of ${stage} have any names and values then they load, or the error has the id config`, () => {
    fc.assert(
      fc.property(fc.dictionary(path, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }), (flags) => {
        try {
          loadConfig(schema as Schema, { flags })
        } catch (error) {
          assert.ok(error instanceof UserError, String(error))
          assert.equal(error.id, 'config')
          assert.match(error.message, /^(configuration has \d+ problems\n {2})?--[^\n]*: /)
        }
      }),
      { numRuns: 100 },
    )
  })

  test(`when options of ${stage} are valid then what explain prints loads to the same configuration`, () => {
    const value = fc.oneof(
      fc.nat(64),
      fc.boolean(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.string({ maxLength: 12, unit: 'grapheme' }),
      fc.constant(null),
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }),
    )
    const flags = fc.dictionary(fc.constantFrom(...known), value, { maxKeys: 3 })
    const start = fc.constantFrom(undefined, ...presetNames().filter((name) => name.endsWith(`/${stage}`)))
    let valid = 0
    fc.assert(
      fc.property(start, flags, (preset, more) => {
        let config: Record<string, unknown>
        try {
          config = loadConfig(schema as Schema, { file: preset, flags: more }) as Record<string, unknown>
        } catch (error) {
          assert.ok(error instanceof UserError && error.id === 'config', String(error))
          return
        }
        valid++
        writeFileSync(file, explain(schema, config))
        assert.deepEqual(loadConfig(schema as Schema, { file }), config)
      }),
      { numRuns: 40 },
    )
    assert.ok(valid > 5, `${valid} of 40 configurations are valid`)
  })
}

test('when an element of a list has an unknown option then the error names it and the nearest', () => {
  assert.throws(
    () => loadConfig(schemas.grid, { flags: { rows: [{ nam: 'x' }] } }),
    /rows\.0\.nam: unknown option; did you mean 'name'\?/,
  )
})
