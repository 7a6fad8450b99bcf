import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secondsIn } from '../../src/base/duration.js'

test('when a time is written as hours, minutes and seconds then it is as many seconds', () => {
  assert.deepEqual(['90s', '30m', '2h', '1h30m', '0.5h10s'].map(secondsIn), [90, 1800, 7200, 5400, 1810])
})
