import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compiled, modules, sourceOf } from './wat.js'

for (const module of modules) {
  test(`when ${module}.wat is compiled anew then it is the module that is used`, async () => {
    assert.equal(readFileSync(sourceOf(module), 'utf8'), await compiled(module))
  })
}
