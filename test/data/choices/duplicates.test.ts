import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeGroups } from '../../../src/data/choices/duplicates.js'

test('when items share a title or a picture then they are of one group, through other items too', () => {
  // Items 0 and 3 share a title, 3 and 1 a picture, 2 and 4 a title; 5 is alone.
  const titles = Int32Array.of(0, 1, 2, 0, 2, 5)
  const pictures = Int32Array.of(9, 7, 8, 7, 6, 5)
  assert.deepEqual([...mergeGroups([titles, pictures])], [0, 0, 2, 0, 2, 5])
})
