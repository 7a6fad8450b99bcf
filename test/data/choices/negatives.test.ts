import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../../src/base/random.js'
import { type Candidates, Negatives } from '../../../src/data/choices/negatives.js'
import type { Positives } from '../../../src/data/choices/positives.js'

/**
 * Pairs: 0 and 1 are of text 0, 2 is of text 1, 3 is of picture 0 (the same number, another query), 4 is of
 * text 0 but after the cut-off. Request 0 rejected items 3 and 1, request 1 nothing.
 */
const positives: Positives = {
  count: 5,
  kind: Uint8Array.of(1, 1, 1, 0, 1),
  query: Int32Array.of(0, 0, 1, 0, 0),
  target: Int32Array.of(0, 1, 2, 2, 5),
  weight: new Float32Array(5).fill(1),
  part: Uint8Array.of(0, 0, 0, 0, 2),
  second: Int32Array.of(0, 3600, 86_400, 0, 0),
  request: Int32Array.of(0, -1, 1, -1, -1),
  session: Int32Array.of(0, 1, 2, -1, -1),
  queryImages: ['a'],
  queryTexts: ['x', 'y'],
  rejected: { items: Int32Array.of(3, 1), offsets: Int32Array.of(0, 2, 2) },
  // The session of pair 2 chose item 6 as well.
  inSession: { items: Int32Array.of(0, 1, 2, 6), offsets: Int32Array.of(0, 1, 2, 4) },
  bySource: {},
}
// Items 2, 4 and 6 share a category, 7 has none; items 0 and 6 have the same title.
const category = Int32Array.of(0, 0, 1, 0, 1, 2, 1, -1)
const titleGroup = Int32Array.of(0, 1, 2, 3, 4, 5, 0, 7)
const negatives = new Negatives(positives, category, titleGroup)
const columns = (items: number[], pairs = items.map(() => -1), queuedFrom = items.length): Candidates => ({
  items: Int32Array.from(items),
  pairs: Int32Array.from(pairs),
  queuedFrom,
})

/** The hard negatives that many draws give; some find none. */
const draws = (pair: number, from = negatives) => {
  const random = Random.of('draws')
  const drawn = Array.from({ length: 80 }, () => from.hard(pair, random))
  return [...new Set(drawn)].filter((item) => item >= 0).sort()
}

describe('Negatives', () => {
  test('when an item is chosen, of equal title or chosen with the query or in the session then it is no negative', () => {
    const positiveOf = (pair: number) => Array.from(category.keys()).filter((item) => negatives.isPositive(pair, item))
    // Item 5 is chosen after the cut-off only: training must not know.
    assert.deepEqual(positiveOf(0), [0, 1, 6])
    assert.deepEqual(positiveOf(2), [2, 6])
    assert.deepEqual(positiveOf(3), [2])
  })

  test('when the request rejected items then hard negatives are among these, else of the category', () => {
    assert.deepEqual(draws(0), [3])
    assert.deepEqual(draws(2), [4])
    assert.deepEqual(draws(3), [4, 6])
  })

  test('when neither request nor category offers one then there is no hard negative', () => {
    const lonely = new Negatives(positives, new Int32Array(8).fill(-1), titleGroup)
    assert.equal(lonely.hard(2, Random.of(1)), -1)
  })

  test('when candidates are masked then positives and empty places are out but for the diagonal', () => {
    const bias = negatives.bias(Int32Array.of(0, 2), columns([0, 2, 1, 6, -1, 5]), {
      logQ: false,
      corrected: () => true,
      maxAgeDays: 0,
    })
    const open = Array.from(bias, (value) => (value === 0 ? 1 : 0))
    assert.deepEqual(open, [1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1])
    assert.ok(bias.every((value) => value === 0 || value <= -1e9))
  })

  test('when logits are corrected then by how much oftener than average an item is a training positive', () => {
    // Of 4 training positives over 3 items, item 2 stands twice: ln(2/4 · 3), the others ln(1/4 · 3).
    const corrections = (corrected: (column: number) => boolean) =>
      Array.from(negatives.bias(Int32Array.of(3), columns([2, 0, 1, 5]), { logQ: true, corrected, maxAgeDays: 0 }))
    const expected = [-Math.log(1.5), -Math.log(0.75), -Math.log(0.75), 0]
    corrections(() => true).forEach((value, i) => {
      assert.ok(Math.abs(value - expected[i]) < 1e-6, `${i}: ${value}`)
    })
    assert.deepEqual(corrections(() => false).map(Math.abs), [0, 0, 0, 0])
  })

  test('when the behavior of a queued item is too far in the log then it is not a negative, on either side', () => {
    // Pair 2 is a day after pair 0 and 23 hours after pair 1; the first two columns are not of the queue.
    const candidates = columns([0, 5, 5, 5], [-1, -1, 0, 1], 2)
    const open = (pair: number, maxAgeDays: number) =>
      Array.from(
        negatives.bias(Int32Array.of(pair), candidates, { logQ: false, corrected: () => true, maxAgeDays }),
        (value) => (value === 0 ? 1 : 0),
      )
    assert.deepEqual(open(2, 0), [1, 1, 1, 1])
    assert.deepEqual(open(2, 0.97), [1, 1, 0, 1])
    assert.deepEqual(open(2, 0.9), [1, 1, 0, 0])
    assert.deepEqual(open(0, 0.01), [1, 1, 1, 0])
  })

  test('when neighbors were mined then they are hard negatives together with those of the request, unless positives', () => {
    // Near items 0 and 2 lie a known positive each, and item 7.
    const mined = { items: Int32Array.of(1, 7, 6, 7), offsets: Int32Array.of(0, 2, 2, 4, 4, 4, 4, 4, 4) }
    const mining = new Negatives(positives, category, titleGroup, mined)
    assert.deepEqual(draws(0, mining), [3, 7])
    assert.deepEqual(draws(2, mining), [4, 7])
  })
})
