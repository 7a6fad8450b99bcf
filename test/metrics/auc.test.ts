import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { auc } from '../../src/metrics/index.js'
import { f32, f64, pairwiseAuc, randomRows } from './data.js'

describe('auc', () => {
  test('when positive and negative tie then the pair counts half', () => {
    // pairs (positive, negative): (3,1) (3,2) (2,1) won, (2,2) tied
    assert.equal(auc([1, 1, 0, 0], f32(3, 2, 2, 1)), 3.5 / 4)
  })

  test('when a stretch of ties spans both classes then each of its pairs counts half', () => {
    // positives 5 5 1, negatives 5 5 3 1: 5 beats 3 and 1, ties with two 5; 1 ties with 1
    assert.equal(auc([1, 1, 1, 0, 0, 0, 0], f32(5, 5, 1, 5, 5, 3, 1)), (3 + 3 + 0.5) / 12)
  })

  test('when the ranking is perfect or reversed then AUC is 1 or 0', () => {
    assert.equal(auc([0, 1, 0, 1], f32(-2, 7, 0, 8)), 1)
    assert.equal(auc([1, 0, 1, 0], f32(-2, 7, 0, 8)), 0)
  })

  test('when all scores are equal then AUC is exactly one half', () => {
    const { labels } = randomRows(101)
    assert.equal(auc(labels, new Float32Array(101).fill(0.3)), 0.5)
  })

  test('when one class is missing or there are no rows then AUC is NaN', () => {
    assert.ok(Number.isNaN(auc([1, 1], f32(1, 2))))
    assert.ok(Number.isNaN(auc([0, 0], f32(1, 2))))
    assert.ok(Number.isNaN(auc([], f32())))
  })

  test('when scores are -0 and 0 then they tie, whichever the positive has', () => {
    for (const make of [f32, f64]) {
      assert.equal(auc([1, 0], make(-0, 0)), 0.5)
      assert.equal(auc([1, 0], make(0, -0)), 0.5)
      assert.equal(auc([1, 0, 1, 0], make(-0, -0, 0, 0)), 0.5)
    }
  })

  test('when scores are infinite then they rank at the ends', () => {
    assert.equal(auc([0, 0, 1, 1], f32(-Infinity, 3, 2, Infinity)), 3 / 4)
  })

  test('when a float64 difference is too small for float32 then it still ranks', () => {
    assert.equal(auc([1, 0], f64(1 + 1e-12, 1)), 1)
  })

  test('when rows are random with many or few ties then AUC equals the count of pairs', () => {
    for (const levels of [1, 2, 5, 50, 1e6]) {
      for (let seed = 1; seed <= 5; seed++) {
        const { labels, scores } = randomRows(20 + 37 * seed, { seed, levels })
        assert.equal(auc(labels, scores), pairwiseAuc(labels, scores), `levels ${levels}, seed ${seed}`)
      }
    }
  })

  test('when AUC is computed then labels and scores stay as they were', () => {
    const scores = f32(3, 1, 2)
    auc([0, 1, 1], scores)
    assert.deepEqual(scores, f32(3, 1, 2))
  })

  test('when a score is NaN then the error has its row, counted from 1', () => {
    assert.throws(() => auc([1, 0, 1], f32(1, 2, Number.NaN)), { id: 'score-nan', message: /^row 3: / })
  })

  test('when a label is neither 0 nor 1 then the error has its row and value', () => {
    assert.throws(() => auc([1, 2], f32(1, 2)), { id: 'label-value', message: /^row 2: label 2;/ })
  })

  test('when the columns differ in length then the error has both lengths', () => {
    assert.throws(() => auc([1, 0], f32(1, 2, 3)), /scores has 3 rows; expected 2/)
  })
})
