import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../src/base/random.js'

const take = (n: number, next: () => number) => Array.from({ length: n }, next)

describe('random', () => {
  test('when the names are the same then the stream is, and others give others', () => {
    const bits = (...names: (string | number)[]) => {
      const random = Random.of(...names)
      return take(20, () => random.bits())
    }
    assert.deepEqual(bits(5, 'epoch', 1), bits(5, 'epoch', 1))
    const names: (string | number)[][] = [[0], [1], [2], [2 ** 40], ['1/2'], [1, 3], [1, 'x'], [1, 'y']]
    assert.equal(new Set(names.map((n) => bits(...n)[0])).size, names.length)
  })

  test('when a stream is forked then the fork has one name more and does not hang on what was drawn', () => {
    const parent = Random.of(5, 'items')
    parent.bits()
    const bits = (random: Random) => take(20, () => random.bits())
    assert.deepEqual(bits(parent.fork(3)), bits(Random.of(5, 'items', 3)))
    assert.notDeepEqual(bits(parent.fork(3)), bits(parent.fork(4)))
  })

  test('when whole numbers are drawn then every value comes equally often', () => {
    const random = Random.of(1)
    const counts = new Int32Array(7)
    for (let draw = 0; draw < 70_000; draw++) counts[random.int(7)]++
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
    assert.ok(chiSquare < 22.5, `${chiSquare}`) // 6 degrees of freedom: p = 0.001
  })

  test('when uniform and normal numbers are drawn then mean and spread are those of theory', () => {
    const random = Random.of(2)
    for (const [draw, mean, variance] of [
      [() => random.uniform(), 0.5, 1 / 12],
      [() => random.normal(), 0, 1],
      [() => random.exponential(), 1, 1],
      [() => random.between(-3, 9), 3, 12],
      [() => Number(random.chance(0.2)), 0.2, 0.16],
    ] as const) {
      const numbers = take(50_000, draw)
      const m = numbers.reduce((sum, x) => sum + x, 0) / numbers.length
      const v = numbers.reduce((sum, x) => sum + (x - m) ** 2, 0) / numbers.length
      assert.ok(Math.abs(m - mean) < 0.02 * Math.sqrt(variance) && Math.abs(v / variance - 1) < 0.03, `${m} ${v}`)
    }
  })

  test('when choices are drawn then each comes as often as its weight says', () => {
    const random = Random.of(4)
    const shares = (draw: () => number) => {
      const counts = [0, 0, 0, 0]
      for (const choice of take(20_000, draw)) counts[choice] += 1 / 20_000
      return counts
    }
    const near = (found: number[], expected: number[]) =>
      assert.ok(
        found.every((share, i) => Math.abs(share - expected[i]) < 0.015),
        `${found}`,
      )
    near(
      shares(() => random.pick([0, 2, 3])),
      [1 / 3, 0, 1 / 3, 1 / 3],
    )
    near(
      shares(() => random.weighted([1, 0, 3, 4])),
      [0.125, 0, 0.375, 0.5],
    )
    assert.equal(shares(() => random.weighted([0, 1, 2, 0]))[3], 0)
  })

  test('when an array is shuffled then it keeps its elements and every order is as likely', () => {
    const random = Random.of(3)
    const counts = new Map<string, number>()
    for (let i = 0; i < 12_000; i++) {
      const key = random.shuffle([1, 2, 3]).join('')
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    assert.equal(counts.size, 6)
    for (const count of counts.values()) assert.ok(Math.abs(count - 2000) < 200, `${count}`)
  })
})
