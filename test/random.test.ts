import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../src/random.js'

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
    ] as const) {
      const numbers = take(50_000, draw)
      const m = numbers.reduce((sum, x) => sum + x, 0) / numbers.length
      const v = numbers.reduce((sum, x) => sum + (x - m) ** 2, 0) / numbers.length
      assert.ok(Math.abs(m - mean) < 0.015 && Math.abs(v / variance - 1) < 0.03, `${m} ${v}`)
    }
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
