import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EpochOrder } from '../../src/data/order.js'
import { prefetch } from '../../src/data/prefetch.js'

describe('Order of epochs', () => {
  const rows = Int32Array.from({ length: 11 }, (_, i) => 100 + i)
  const open = (seed: number) => new EpochOrder(rows, 3, seed)
  const epoch = (order: EpochOrder, n: number) =>
    Array.from({ length: order.stepsPerEpoch }, (_, step) => [...order.at(n * order.stepsPerEpoch + step)])

  test('when an epoch is passed then no row comes twice and an incomplete batch is left out', () => {
    const order = open(1)
    assert.equal(order.stepsPerEpoch, 3)
    for (const n of [0, 1]) {
      const seen = epoch(order, n).flat()
      assert.equal(new Set(seen).size, 9)
      assert.ok(seen.every((row) => rows.includes(row)))
    }
  })

  test('when epochs or seeds differ then so does the order, else it is the same, from whatever step', () => {
    assert.notDeepEqual(epoch(open(1), 0), epoch(open(1), 1))
    assert.notDeepEqual(epoch(open(1), 0), epoch(open(2), 0))
    const passed = open(1)
    epoch(passed, 0)
    assert.deepEqual(passed.at(7), open(1).at(7))
    assert.deepEqual(passed.at(1), open(1).at(1))
  })
})

describe('Prefetching', () => {
  test('when values are consumed then they come in order, made ahead by the depth and no further', async () => {
    let made = 0
    async function* source() {
      for (; made < 6; ) yield made++
    }
    const seen: number[] = []
    for await (const value of prefetch(source(), 2)) {
      assert.ok(made <= value + 3, `${made} made while ${value} is used`)
      seen.push(value)
    }
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5])
  })

  test('when the source fails then the values before it come first', async () => {
    async function* source() {
      yield 1
      throw new Error('broken')
    }
    const seen: number[] = []
    await assert.rejects(
      async () => {
        for await (const value of prefetch(source(), 3)) seen.push(value)
      },
      { message: 'broken' },
    )
    assert.deepEqual(seen, [1])
  })

  test('when the consumer stops then the source is closed', async () => {
    let closed = false
    async function* source() {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        closed = true
      }
    }
    for await (const value of prefetch(source(), 2)) if (value === 1) break
    assert.ok(closed)
  })
})
