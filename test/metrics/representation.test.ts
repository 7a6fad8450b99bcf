import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { alignment, isCollapsed, meanPairwiseCosine, uniformity } from '../../src/metrics/index.js'
import { close, f32, randomVectors } from './data.js'

const rowsOf = (vectors: Float32Array, d: number) =>
  Array.from({ length: vectors.length / d }, (_, row) => Array.from(vectors.subarray(row * d, (row + 1) * d)))

function cosine(a: number[], b: number[]): number {
  const inner = (x: number[], y: number[]) => x.reduce((sum, value, k) => sum + value * y[k], 0)
  return inner(a, b) / Math.sqrt(inner(a, a) * inner(b, b))
}

/** Mean of f over all pairs of different rows. */
function overPairs(vectors: Float32Array, d: number, f: (a: number[], b: number[]) => number): number {
  const rows = rowsOf(vectors, d)
  const values = rows.flatMap((a, i) => rows.slice(i + 1).map((b) => f(a, b)))
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

describe('meanPairwiseCosine', () => {
  test('when vectors are worked by hand then pairs of a row with itself do not count', () => {
    // cosines: 0 (x, y), -1 (x, -x), 0 (y, -x); lengths do not matter
    close(meanPairwiseCosine(f32(2, 0, 0, 3, -5, 0), 2), -1 / 3, 1e-12)
  })

  test('when vectors are random then the mean equals that over all pairs', () => {
    const vectors = randomVectors(60, 7, Random.of(21)).map((x) => x + 0.1)
    close(meanPairwiseCosine(vectors, 7), overPairs(vectors, 7, cosine), 1e-12)
  })

  test('when a row is zero then it is left out', () => {
    close(meanPairwiseCosine(f32(1, 0, 0, 0, 0, 1, 1, 0), 2), 1 / 3, 1e-12)
  })

  test('when all rows point the same way then the cosine is 1 and the space has collapsed', () => {
    const mean = meanPairwiseCosine(f32(1, 2, 2, 4, 0.5, 1), 2)
    close(mean, 1, 1e-12)
    assert.ok(isCollapsed(mean))
  })

  test('when rows are spread then the space has not collapsed', () => {
    assert.ok(!isCollapsed(meanPairwiseCosine(randomVectors(200, 16, Random.of(22)), 16)))
    assert.ok(isCollapsed(0.9) && !isCollapsed(0.89) && isCollapsed(0.6, 0.5) && !isCollapsed(Number.NaN))
  })

  test('when there are fewer than two rows then the mean is NaN', () => {
    assert.ok(Number.isNaN(meanPairwiseCosine(f32(), 4)))
    assert.ok(Number.isNaN(meanPairwiseCosine(f32(1, 2), 2)))
  })

  test('when a number is not finite then the error has its row', () => {
    assert.throws(() => meanPairwiseCosine(f32(1, 2, 3, Infinity), 2), /vectors row 2 has Infinity/)
  })
})

describe('alignment', () => {
  test('when pairs are worked by hand then it is the mean squared distance of unit vectors', () => {
    // equal directions 0, orthogonal 2, opposite 4
    close(alignment(f32(1, 0, 3, 0, 1, 0), f32(7, 0, 0, 2, -1, 0), 2), (0 + 2 + 4) / 3, 1e-12)
    close(alignment(f32(3, 0), f32(0, 2), 2, 1), Math.SQRT2, 1e-12)
  })

  test('when a row of a pair is zero then the pair is left out', () => {
    close(alignment(f32(1, 0, 1, 0), f32(0, 1, 0, 0), 2), 2, 1e-12)
  })

  test('when no pair is left then it is NaN, and a row without partner is refused', () => {
    assert.ok(Number.isNaN(alignment(f32(), f32(), 2)))
    assert.throws(() => alignment(f32(1, 2), f32(1, 2, 3, 4), 2), /y has 2 rows; expected 1/)
  })
})

describe('uniformity', () => {
  test('when vectors are random then it equals the definition', () => {
    const vectors = randomVectors(50, 5, Random.of(23))
    const potential = (a: number[], b: number[]) => Math.exp(-3 * (2 - 2 * cosine(a, b)))
    close(uniformity(vectors, 5, { t: 3 }), Math.log(overPairs(vectors, 5, potential)), 1e-10)
  })

  test('when two vectors are opposite then t = 2 gives -8, and 0 when all coincide', () => {
    close(uniformity(f32(1, 0, -2, 0), 2), -8, 1e-12)
    close(uniformity(f32(1, 1, 2, 2, 3, 3), 2), 0, 1e-12)
  })

  test('when there are more vectors than the limit then a seeded draw comes near all pairs', () => {
    const vectors = randomVectors(1500, 4, Random.of(24))
    const all = uniformity(vectors, 4)
    const drawn = uniformity(vectors, 4, { limit: 500, seed: 1 })
    close(drawn, all, 0.05)
    assert.notEqual(drawn, all)
    assert.equal(uniformity(vectors, 4, { limit: 500, seed: 1 }), drawn)
    assert.notEqual(uniformity(vectors, 4, { limit: 500, seed: 2 }), drawn)
  })

  test('when vectors are drawn then none is drawn twice', () => {
    // 60 of 61 orthogonal axes, all at squared distance 2; a row drawn twice would add a pair at 0
    const axes = Float32Array.from({ length: 61 * 61 }, (_, i) => (i % 62 === 0 ? 1 : 0))
    close(uniformity(axes, 61, { limit: 60 }), -4, 1e-12)
  })

  test('when there are fewer than two rows then it is NaN', () => {
    assert.ok(Number.isNaN(uniformity(f32(1, 2, 0, 0), 2)))
  })
})
