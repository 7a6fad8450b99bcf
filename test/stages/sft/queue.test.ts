import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QueuePlaces } from '../../../src/stages/sft/queue.js'

const batch = 2
/** Step s has the pairs 10s and 10s + 1. */
const pairsOf = (step: number) => Int32Array.of(10 * step, 10 * step + 1)
const queue = () => new QueuePlaces(3 * batch, batch, pairsOf)

test('when steps follow one another then the first in is the first out', () => {
  const places = queue()
  assert.deepEqual([...places.seek(0).pairs], [-1, -1, -1, -1, -1, -1])
  assert.deepEqual([...places.seek(2).pairs], [0, 1, 10, 11, -1, -1])
  assert.deepEqual([...places.placesOf(3)], [0, 1])
  assert.deepEqual([...places.seek(4).pairs], [30, 31, 10, 11, 20, 21])
  assert.deepEqual([...places.filledAt], [3, 3, 1, 1, 2, 2])
})

test('when training goes on at any step then the queue holds what it held undisturbed', () => {
  const walked = queue()
  for (let step = 0; step < 12; step++) {
    const [jumped, back] = [queue().seek(step), queue().seek(11).seek(step)]
    walked.seek(step)
    for (const other of [jumped, back]) {
      assert.deepEqual([...other.pairs], [...walked.pairs])
      assert.deepEqual([...other.filledAt], [...walked.filledAt])
    }
  }
})

test('when vectors may be so old then places filled before count as empty', () => {
  const places = queue()
  assert.deepEqual([...places.youngAt(4, 0)], [30, 31, 10, 11, 20, 21])
  assert.deepEqual([...places.youngAt(4, 2)], [30, 31, -1, -1, 20, 21])
  assert.deepEqual([...places.youngAt(4, 1)], [30, 31, -1, -1, -1, -1])
})
