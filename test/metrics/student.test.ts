import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meanInterval } from '../../src/metrics/index.js'
import { close } from './data.js'

/** 97.5 % quantiles of Student's t by degrees of freedom, from printed tables. */
const quantiles: [degrees: number, t: number][] = [
  [1, 12.70620474],
  [2, 4.30265273],
  [3, 3.18244631],
  [10, 2.22813885],
  [11, 2.20098516],
  [30, 2.04227246],
  [100, 1.98397152],
]

for (const [degrees, expected] of quantiles) {
  test(`when a mean has ${degrees} degrees of freedom then its interval is ${expected.toFixed(3)} standard errors wide to either side`, () => {
    const n = degrees + 1
    const values = Array.from({ length: n }, (_, i) => i)
    const { value, low, high, samples } = meanInterval(values)
    const error = Math.sqrt((n + 1) / 12) // variance of 0 … n − 1 is n (n + 1) / 12
    close((high - value) / error, expected, 1e-7)
    close((value - low) / error, expected, 1e-7)
    assert.equal(samples, n)
  })
}

test('when there is a single value then its interval has no bounds', () => {
  const { value, low, high } = meanInterval([3])
  assert.deepEqual([value, low, high], [3, Number.NaN, Number.NaN])
})
