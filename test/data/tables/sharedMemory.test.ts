import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SharedTexts, shareArrays } from '../../../src/data/tables/sharedMemory.js'

test('when arrays and texts are shared then they say the same, and nothing else of the tree changes', () => {
  const texts = ['a', null, '', 'zoë 絵', null]
  const again = new SharedTexts(structuredClone(SharedTexts.of(texts).packed))
  assert.deepEqual(
    texts.map((_, i) => again.at(i)),
    texts,
  )
  const tree = {
    name: 'x',
    list: [{ a: Int32Array.of(1, 2) }],
    texts: ['t'],
    none: undefined,
    deep: { b: Uint8Array.of(3) },
  }
  const plain = structuredClone(tree)
  const { list, deep } = shareArrays(tree)
  assert.ok([list[0].a, deep.b].every(({ buffer }) => buffer instanceof SharedArrayBuffer))
  assert.deepEqual(tree, plain)
})
