import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fittingBatch, type Machine } from '../../src/runtime/batch.js'

/** A machine with a clock and a memory that runs move. */
function machine(bytes: number) {
  const state = { now: 0, used: 0 }
  const look: Machine = { now: () => state.now, used: () => state.used, free: () => bytes - state.used }
  return { state, look }
}

test('when larger batches are no faster per item then the smaller one is taken', async () => {
  const { state, look } = machine(1e12)
  const run = async (size: number) => {
    state.now += 100 + 10 * size
  }
  const { size, reason } = await fittingBatch(run, look)
  // 100 / size + 10 falls by less than a twentieth from 128 to 256.
  assert.deepEqual([size, reason], [128, 'a batch of 256 is no faster'])
})

test('when a batch of twice the size would fill the memory then it is not tried', async () => {
  const { state, look } = machine(100)
  const tried: number[] = []
  const run = async (size: number) => {
    tried.push(size)
    state.now += 100
    state.used = Math.max(state.used, size)
  }
  const { size } = await fittingBatch(run, look)
  assert.deepEqual([size, Math.max(...tried)], [64, 64])
})

test('when a batch fails then the one before it is taken, with the reason', async () => {
  const { state, look } = machine(1e12)
  const run = async (size: number) => {
    state.now += 100
    if (size > 32) throw new Error('out of memory')
  }
  assert.deepEqual(await fittingBatch(run, look), { size: 32, reason: 'a batch of 64 fails: out of memory' })
  await assert.rejects(
    fittingBatch(() => Promise.reject(new Error('broken')), look),
    /broken/,
  )
})
