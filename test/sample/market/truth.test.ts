import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isoTime } from '../../../src/sample/market/truth.js'

test('when a time has microseconds then its text has them too', () => {
  assert.equal(isoTime(1_740_787_200_000_007), '2025-03-01T00:00:00.000007Z')
})
