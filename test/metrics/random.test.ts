import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { random } from '../../src/metrics/index.js'

const take = (n: number, next: () => number) => Array.from({ length: n }, next)

describe('random', () => {
  test('when seeds are given then the streams are those of another implementation of sfc32', () => {
    assert.deepEqual(take(4, random(0).uint32), [1363572419, 145230303, 808754475, 4216505632])
    assert.deepEqual(take(4, random(2 ** 40 + 7).uint32), [1614752920, 2544231158, 2841167337, 645591171])
  })

  test('when the seed is the same then the stream is, and near or far seeds give others', () => {
    assert.deepEqual(take(20, random(5).uint32), take(20, random(5).uint32))
    const firsts = [-1, 0, 1, 2, 2 ** 32, 2 ** 40].map((seed) => random(seed).uint32())
    assert.equal(new Set(firsts).size, firsts.length)
  })

  test('when numbers are drawn then every value below n comes equally often', () => {
    const { below } = random(1)
    const counts = new Int32Array(7)
    for (let draw = 0; draw < 70_000; draw++) counts[below(7)]++
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
    assert.ok(chiSquare < 22.5, `${chiSquare}`) // 6 degrees of freedom: p = 0.001
  })

  test('when uniform numbers are drawn then they lie in [0, 1) with the mean and spread of theory', () => {
    const numbers = take(50_000, random(2).uniform)
    assert.ok(numbers.every((x) => x >= 0 && x < 1))
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length
    const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length
    assert.ok(Math.abs(mean - 0.5) < 0.005 && Math.abs(variance - 1 / 12) < 0.002, `${mean} ${variance}`)
  })

  test('when the seed is no integer then it is refused', () => {
    assert.throws(() => random(Number.NaN), /seed NaN/)
  })
})
