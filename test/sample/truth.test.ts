import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFrom } from '../../src/sample/random.js'
import { auc, isoTime } from '../../src/sample/truth.js'
import { aucByPairs } from './pairs.js'

test('when scores tie then each tied pair counts a half', () => {
  // Pairs of (1, 0): 3>1, 3>2, 2>1 are won, 2=2 is tied: 3.5 of 4.
  assert.equal(auc(Float64Array.of(3, 2, 2, 1), Uint8Array.of(1, 1, 0, 0)), 3.5 / 4)
  assert.equal(auc(Float64Array.of(1, 1, 1), Uint8Array.of(1, 0, 0)), 0.5)
})

test('when there is one class only then the area is not a number', () => {
  assert.ok(Number.isNaN(auc(Float64Array.of(1, 2), Uint8Array.of(0, 0))))
})

test('when scores are random then the area equals the count over all pairs', () => {
  const random = randomFrom('auc')
  const scores = Float64Array.from({ length: 300 }, () => random.integer(40))
  const labels = Uint8Array.from({ length: 300 }, () => random.integer(2))
  assert.ok(Math.abs(auc(scores, labels) - aucByPairs(scores, labels)) < 1e-12)
})

test('when a time has microseconds then its text has them too', () => {
  assert.equal(isoTime(1_740_787_200_000_007), '2025-03-01T00:00:00.000007Z')
})
