import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFrom } from '../../src/sample/random.js'

const draws = (seed: number | string, count = 4) => {
  const random = randomFrom(seed)
  return Array.from({ length: count }, () => random.uniform())
}

test('when the seed is the same then the numbers are the same, on every machine', () => {
  assert.deepEqual(
    draws(1).map((value) => value * 2 ** 32),
    [2489525019, 3815351246, 4260643850, 2629551479],
  )
  assert.notDeepEqual(draws(1), draws(2))
})

test('when a stream is forked then it does not matter what was drawn before', () => {
  const random = randomFrom(7)
  const before = random.fork('a').uniform()
  random.normal()
  assert.equal(random.fork('a').uniform(), before)
  assert.notEqual(random.fork('b').uniform(), before)
})

test('when many numbers are drawn then mean and variance are those of the distribution', () => {
  const random = randomFrom('moments')
  const moments = (draw: () => number) => {
    const values = Array.from({ length: 40_000 }, draw)
    const mean = values.reduce((a, b) => a + b) / values.length
    return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length }
  }
  const expected = [
    { draw: () => random.uniform(), mean: 0.5, variance: 1 / 12 },
    { draw: () => random.normal(), mean: 0, variance: 1 },
    { draw: () => random.exponential(), mean: 1, variance: 1 },
    { draw: () => random.weighted([1, 0, 3]), mean: 1.5, variance: 0.75 },
  ]
  for (const { draw, mean, variance } of expected) {
    const seen = moments(draw)
    assert.ok(Math.abs(seen.mean - mean) < 0.02, `mean ${seen.mean}, expected ${mean}`)
    assert.ok(Math.abs(seen.variance - variance) < 0.04, `variance ${seen.variance}, expected ${variance}`)
  }
})

test('when n numbers are permuted then each is there once', () => {
  const order = randomFrom(3).permutation(50)
  assert.notDeepEqual(
    [...order],
    [...order].sort((a, b) => a - b),
  )
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  )
})
