import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { meanReciprocalRank, medianRank, ranksOfTargets, recallAtK } from '../../src/metrics/index.js'
import { f32, f64, i32, randomVectors } from './data.js'

/** Ranks by the definition: every item for every query. */
function ranksByCounting(
  queries: Float32Array,
  items: Float32Array,
  d: number,
  targets: Int32Array,
  excluded: (query: number) => number[] = () => [],
): number[] {
  const score = (query: number, item: number) => {
    let sum = 0
    for (let k = 0; k < d; k++) sum += queries[query * d + k] * items[item * d + k]
    return sum
  }
  return Array.from(targets, (target, query) => {
    let rank = 0
    for (let item = 0; item < items.length / d; item++) {
      if (item === target || excluded(query).includes(item)) continue
      if (score(query, item) > score(query, target)) rank++
      if (score(query, item) === score(query, target)) rank += 0.5
    }
    return rank
  })
}

describe('ranksOfTargets', () => {
  test('when items are worked by hand then ranks count the items above, ties by half', () => {
    const items = f32(1, 2, 3, 3, 0)
    assert.deepEqual(ranksOfTargets(f32(1, 1, 1, -1), items, 1, i32(0, 1, 2, 4)), f64(3, 2, 0.5, 0))
  })

  test('when sizes are uneven then ranks equal those by counting', () => {
    const source = Random.of(11)
    for (const [q, n, d] of [
      [1, 1, 1],
      [5, 3, 2],
      [7, 64, 5],
      [9, 67, 8],
      [20, 133, 16],
    ]) {
      const queries = randomVectors(q, d, source)
      const items = randomVectors(n, d, source)
      const targets = Int32Array.from({ length: q }, () => source.int(n))
      assert.deepEqual(
        Array.from(ranksOfTargets(queries, items, d, targets)),
        ranksByCounting(queries, items, d, targets),
      )
    }
  })

  test('when many items have the same vector then ranks with ties equal those by counting', () => {
    const source = Random.of(12)
    const d = 3
    const distinct = randomVectors(8, d, source)
    const items = Float32Array.from({ length: 70 * d }, (_, i) => distinct[(Math.floor(i / d) % 8) * d + (i % d)])
    const queries = randomVectors(30, d, source)
    const targets = Int32Array.from({ length: 30 }, () => source.int(70))
    const ranks = Array.from(ranksOfTargets(queries, items, d, targets))
    assert.deepEqual(ranks, ranksByCounting(queries, items, d, targets))
    assert.ok(ranks.some((rank) => rank % 1 === 0.5))
  })

  test('when the space has collapsed then every target is in the middle', () => {
    const items = new Float32Array(101 * 4).fill(0.5)
    assert.deepEqual(ranksOfTargets(f32(1, 2, 3, 4), items, 4, i32(17)), f64(50))
  })

  test('when items are excluded then they do not count, above, tied or below', () => {
    const items = f32(5, 4, 4, 4, 1)
    const ranks = (...excluded: number[]) =>
      ranksOfTargets(f32(1), items, 1, i32(1), { exclude: () => i32(...excluded) })[0]
    assert.equal(ranks(), 2)
    assert.equal(ranks(0), 1)
    assert.equal(ranks(2), 1.5)
    assert.equal(ranks(0, 2, 3), 0)
    assert.equal(ranks(4), 2)
  })

  test('when the target or a repeat is in the exclusions then it makes no difference', () => {
    const exclude = () => i32(0, 1, 0, 0)
    assert.deepEqual(ranksOfTargets(f32(1), f32(5, 4, 4, 4, 1), 1, i32(1), { exclude }), f64(1))
  })

  test('when exclusions differ by query then ranks equal those by counting', () => {
    const source = Random.of(13)
    const queries = randomVectors(40, 6, source)
    const items = randomVectors(90, 6, source)
    const targets = Int32Array.from({ length: 40 }, () => source.int(90))
    const excluded = Array.from({ length: 40 }, (_, query) => Array.from({ length: query % 5 }, () => source.int(90)))
    const exclude = (query: number) => (query % 5 === 0 ? undefined : Int32Array.from(excluded[query]))
    assert.deepEqual(
      Array.from(ranksOfTargets(queries, items, 6, targets, { exclude })),
      ranksByCounting(queries, items, 6, targets, (query) => excluded[query]),
    )
  })

  test('when there are no queries then there are no ranks', () => {
    assert.deepEqual(ranksOfTargets(f32(), f32(1, 2), 2, i32()), f64())
  })

  test('when shapes, targets, exclusions or numbers are wrong then they are refused by name', () => {
    const items = f32(1, 2, 3, 4)
    assert.throws(
      () => ranksOfTargets(f32(1, 2, 3), items, 2, i32(0)),
      /queries has 3 numbers; expected a multiple of 2/,
    )
    assert.throws(() => ranksOfTargets(f32(1, 2), items, 2, i32(0, 1)), /2 targets; expected 1/)
    assert.throws(() => ranksOfTargets(f32(1, 2), items, 2, i32(2)), /target 2 of query 1/)
    assert.throws(() => ranksOfTargets(f32(1, 2), items, 2, i32(0), { exclude: () => i32(2) }), /excluded item 2/)
    assert.throws(() => ranksOfTargets(f32(1, 2), f32(1, 2, Number.NaN, 4), 2, i32(0)), /items row 2 has NaN/)
    assert.throws(() => ranksOfTargets(f32(1, 2), items, 0, i32(0)), /dimension 0/)
  })
})

describe('retrieval metrics', () => {
  test('when ranks are worked by hand then recall counts those within the first k places', () => {
    assert.deepEqual(recallAtK(i32(0, 1, 9, 10, 99), [10, 1, 100]), [3 / 5, 1 / 5, 1])
  })

  test('when the target ties for the first place then it is no hit at 1 but one at 2', () => {
    assert.deepEqual(recallAtK(f64(0.5), [1, 2]), [0, 1])
  })

  test('when ranks are odd or even in number then the median is the middle or the mean of the middle two', () => {
    assert.equal(medianRank(i32(100, 3, 20)), 20)
    assert.equal(medianRank(f64(100, 3.5, 20, 4)), 12)
  })

  test('when ranks are worked by hand then the mean reciprocal rank agrees', () => {
    assert.equal(meanReciprocalRank(i32(0, 1, 3)), (1 + 1 / 2 + 1 / 4) / 3)
  })

  test('when there are no ranks then every metric is NaN', () => {
    assert.deepEqual(recallAtK(i32(), [1, 5]), [Number.NaN, Number.NaN])
    assert.ok(Number.isNaN(medianRank(i32())))
    assert.ok(Number.isNaN(meanReciprocalRank(i32())))
  })

  test('when k is no positive integer then it is refused', () => {
    assert.throws(() => recallAtK(i32(0), [0]), /recall at 0/)
  })
})
