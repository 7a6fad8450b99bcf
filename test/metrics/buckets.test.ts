import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { aucByBucket, buckets } from '../../src/metrics/index.js'
import { f32, i32, pairwiseAuc, randomRows } from './data.js'

describe('buckets', () => {
  test('when values are distinct then bucket sizes differ by at most one', () => {
    for (const n of [9, 10, 17, 100, 1001]) {
      const { rows } = buckets(Int32Array.from({ length: n }, (_, row) => (row * 7919) % 100_003))
      assert.equal(Math.max(...rows) - Math.min(...rows), n % 9 === 0 ? 0 : 1, `n ${n}`)
    }
  })

  test('when there are three buckets of six rows then rows and bounds are those worked by hand', () => {
    assert.deepEqual(buckets([50, 10, 40, 20, 60, 30], 3), {
      bucketOfRow: i32(2, 0, 1, 0, 2, 1),
      rows: i32(2, 2, 2),
      low: Float64Array.of(10, 30, 50),
      high: Float64Array.of(20, 40, 60),
    })
  })

  test('when values tie then they share the bucket of their middle and a swallowed bucket is empty', () => {
    // ascending: 1 | 2 2 2 2 2 | 3 3 3; the five 2s have their middle at place 3 of 9, in the second bucket of four
    assert.deepEqual(buckets([3, 2, 2, 1, 2, 3, 2, 2, 3], 4), {
      bucketOfRow: i32(3, 1, 1, 0, 1, 3, 1, 1, 3),
      rows: i32(1, 5, 0, 3),
      low: Float64Array.of(1, 2, Number.NaN, 3),
      high: Float64Array.of(1, 2, Number.NaN, 3),
    })
  })

  test('when values have many ties then buckets are ordered, disjoint and complete', () => {
    const source = Random.of(3)
    for (const distinct of [1, 2, 5, 40]) {
      const values = Int32Array.from({ length: 500 }, () => Math.floor(distinct * source.uniform() ** 3))
      const { bucketOfRow, rows, low, high } = buckets(values)
      for (let i = 0; i < values.length; i++) {
        assert.ok(low[bucketOfRow[i]] <= values[i] && values[i] <= high[bucketOfRow[i]])
        for (let j = 0; j < i; j++) {
          if (values[i] === values[j]) assert.equal(bucketOfRow[i], bucketOfRow[j])
          if (values[i] < values[j]) assert.ok(bucketOfRow[i] <= bucketOfRow[j])
        }
      }
      for (let bucket = 0; bucket < 9; bucket++) {
        assert.equal(rows[bucket], bucketOfRow.filter((of) => of === bucket).length)
        assert.equal(Number.isNaN(low[bucket]), rows[bucket] === 0)
      }
    }
  })

  test('when all values are equal then all rows are in the middle bucket', () => {
    assert.deepEqual(buckets(new Float32Array(20).fill(4), 9).bucketOfRow, new Int32Array(20).fill(4))
  })

  test('when -0 and 0 meet then they share a bucket', () => {
    const { bucketOfRow } = buckets([-0, 0, -0, 0], 2)
    assert.equal(new Set(bucketOfRow).size, 1)
  })

  test('when there are no rows then every bucket is empty', () => {
    const { bucketOfRow, rows } = buckets([], 3)
    assert.deepEqual([bucketOfRow, rows], [i32(), i32(0, 0, 0)])
  })

  test('when a value is NaN or the count is no positive integer then it is refused', () => {
    assert.throws(() => buckets([1, Number.NaN, 2]), /NaN/)
    assert.throws(() => buckets([1], 0), /bucket count 0/)
  })
})

describe('aucByBucket', () => {
  test('when rows are bucketed then each bucket has the AUC, rows and positives of its own rows', () => {
    const { labels, scores, groups } = randomRows(200, { levels: 9, groups: 4 })
    const measured = aucByBucket(labels, scores, groups, 4)
    for (let bucket = 0; bucket < 4; bucket++) {
      const rows = [...groups.keys()].filter((row) => groups[row] === bucket)
      const inside = rows.map((row) => labels[row])
      assert.deepEqual(measured[bucket], {
        rows: rows.length,
        positives: inside.filter((label) => label === 1).length,
        auc: pairwiseAuc(
          inside,
          rows.map((row) => scores[row]),
        ),
      })
    }
  })

  test('when a bucket is empty or of one class then it is there with AUC NaN', () => {
    assert.deepEqual(aucByBucket([1, 0, 1], f32(2, 1, 5), i32(0, 0, 2), 4), [
      { rows: 2, positives: 1, auc: 1 },
      { rows: 0, positives: 0, auc: Number.NaN },
      { rows: 1, positives: 1, auc: Number.NaN },
      { rows: 0, positives: 0, auc: Number.NaN },
    ])
  })

  test('when a row is in a bucket beyond the count then it is refused', () => {
    assert.throws(() => aucByBucket([1, 0], f32(1, 2), i32(0, 2), 2), /group 2; expected less than 2/)
  })
})
