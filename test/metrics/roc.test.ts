import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { auc, nearestItems, rocCurve } from '../../src/metrics/index.js'

describe('ROC curve', () => {
  test('when scores are few then every threshold is a point, ties passing together', () => {
    assert.deepEqual(rocCurve([1, 0, 1, 0], Float32Array.of(0.9, 0.5, 0.5, 0.1)), [
      [0, 0],
      [0, 0.5],
      [0.5, 1],
      [1, 1],
    ])
  })

  test('when a class is missing then there is no curve', () => {
    assert.deepEqual(rocCurve([1, 1], Float32Array.of(0.1, 0.2)), [])
    assert.deepEqual(rocCurve([], new Float32Array()), [])
  })

  test('when rows are many then a few points from end to end keep the area', () => {
    const random = Random.of('roc')
    const labels = Array.from({ length: 5000 }, () => random.int(2))
    const scores = Float32Array.from(labels, (y) => random.normal() + y)
    const curve = rocCurve(labels, scores, 100)
    assert.deepEqual([curve.length, curve[0], curve[99]], [100, [0, 0], [1, 1]])
    let area = 0
    for (let i = 1; i < 100; i++) area += ((curve[i][1] + curve[i - 1][1]) / 2) * (curve[i][0] - curve[i - 1][0])
    assert.ok(Math.abs(area - auc(labels, scores)) < 1e-3)
  })
})

describe('nearest items', () => {
  const items = Float32Array.of(1, 0, 0, 1, 3, 0, 2, 0, 2, 5)

  test('when k are asked for then they come by inner product, the lower row first among equals', () => {
    assert.deepEqual(nearestItems(Float32Array.of(1, 0), items, 3), [2, 3, 4])
    assert.deepEqual(nearestItems(Float32Array.of(1, 0), items, 9), [2, 3, 4, 0, 1])
  })

  test('when items are excluded then others take their place', () => {
    assert.deepEqual(nearestItems(Float32Array.of(1, 0), items, 2, new Set([2, 3])), [4, 0])
  })
})
