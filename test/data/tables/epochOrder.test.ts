import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { prefetch } from '../../../src/base/prefetch.js'
import { EpochOrder } from '../../../src/data/tables/epochOrder.js'

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

describe('Order by a buffer', () => {
  const rows = Int32Array.from({ length: 10_007 }, (_, i) => i)
  const [batch, buffer] = [10, 1000]
  const open = (seed: number) => new EpochOrder(rows, batch, seed, buffer)
  const epoch = (order: EpochOrder, n: number) =>
    Array.from({ length: order.stepsPerEpoch }, (_, step) => order.at(n * order.stepsPerEpoch + step))

  test('when rows are more than the buffer then an epoch has each once but for an incomplete batch', () => {
    for (const n of [0, 1]) {
      const seen = epoch(open(1), n).flatMap((batch) => [...batch])
      assert.equal(seen.length, 10_000)
      assert.equal(new Set(seen).size, 10_000)
    }
  })

  test('when a buffer is filled then its rows are from everywhere, and few of a batch are neighbors', () => {
    const batches = epoch(open(1), 0)
    const first = Int32Array.from(batches.slice(0, buffer / batch).flatMap((batch) => [...batch])).sort()
    for (let tenth = 0; tenth < 10; tenth++) {
      const there = first.filter((row) => Math.floor(row / 1001) === tenth).length
      assert.ok(there > 40 && there < 160, `${there} of the rows from ${1001 * tenth} on`)
    }
    const neighbors = batches.filter((batch) => batch.some((row) => batch.includes(row + 1))).length
    assert.ok(neighbors < 0.15 * batches.length, `${neighbors}`)
  })

  test('when epochs or seeds differ then so does the order, else it is the same, from whatever step', () => {
    assert.notDeepEqual(epoch(open(1), 0), epoch(open(1), 1))
    assert.notDeepEqual(epoch(open(1), 0), epoch(open(2), 0))
    const all = [...epoch(open(1), 0), ...epoch(open(1), 1)]
    const asked = open(1)
    for (const step of [1999, 0, 999, 1000, 500]) assert.deepEqual(asked.at(step), all[step], `step ${step}`)
  })

  test('when the buffer takes all rows then the order is the same as without a buffer', () => {
    const whole = new EpochOrder(rows, batch, 3, rows.length)
    assert.deepEqual(epoch(whole, 1), epoch(new EpochOrder(rows, batch, 3), 1))
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
