import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { UserError } from '../../src/base/errors.js'
import { shareArray } from '../../src/data/tables/sharedMemory.js'
import { Prefetcher } from '../../src/train/prefetcher.js'
import type { Counted, Counting } from './counting.js'

const module = new URL('./counting.js', import.meta.url)
const shared = (rest: Partial<Counting> = {}): Counting => ({ made: shareArray(Int32Array.of(0, 42)), ...rest })

/** Waits until nothing more is made. */
async function settled(made: Int32Array): Promise<number> {
  for (let before = -1; before !== made[0]; await sleep(100)) before = made[0]
  return made[0]
}

for (const workers of [1, 3]) {
  test(`when ${workers} thread(s) make batches then each step gets its own, from any step on`, async () => {
    const ahead = new Prefetcher<Counted>(module, shared(), { workers })
    for (const step of [5, 6, 7, 8, 20, 21, 9]) {
      const { numbers, seen } = await ahead.at(step)
      assert.deepEqual([numbers, seen], [new Float32Array(3).fill(step), 42])
    }
    await ahead.close()
  })

  test(`when nobody takes batches then ${workers} thread(s) make a few and wait`, async () => {
    const data = shared()
    const ahead = new Prefetcher<Counted>(module, data, { workers })
    await ahead.at(0)
    assert.equal(await settled(data.made), workers + 2)
    await ahead.at(1)
    assert.equal(await settled(data.made), workers + 3)
    await ahead.close()
  })
}

test('when a batch fails then its own step throws, as the kind of error that it was', async () => {
  for (const how of ['user', 'error'] as const) {
    const ahead = new Prefetcher<Counted>(module, shared({ fails: 2, how }), { workers: 1 })
    await ahead.at(0)
    await ahead.at(1)
    await assert.rejects(ahead.at(2), (error: Error) => {
      assert.equal(error instanceof UserError && error.id, how === 'user' && 'planted')
      assert.match(error.message, how === 'user' ? /^file: a bad row$/ : /^planted failure$/)
      return true
    })
    await ahead.close()
  }
})

test('when a thread ends or its module is none then who waits hears of it', async () => {
  const ended = new Prefetcher<Counted>(module, shared({ fails: 1, how: 'exit' }), { workers: 1 })
  await ended.at(0)
  await assert.rejects(ended.at(1), /ended with code 3/)
  const absent = new Prefetcher<Counted>(new URL('./absent.js', import.meta.url), shared(), { workers: 1 })
  await assert.rejects(absent.at(0), /Cannot find module/)
})

test('when threads are closed while a library works for them then they end when it is done, and the process lives', async () => {
  const ahead = new Prefetcher<number>(new URL('./querying.js', import.meta.url), {}, { workers: 2 })
  assert.equal(await ahead.at(0), 1)
  const started = performance.now()
  await ahead.close()
  assert.ok(performance.now() - started < 30_000, 'the thread was not waited for in vain')
})

test('when many batches were taken then none of them stays in memory', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const held = async () => {
    // The second one finishes what the first one left to other threads.
    for (let i = 0; i < 2; i++) {
      collect()
      await sleep(20)
    }
    return process.memoryUsage().external
  }
  const size = 2 ** 18
  const bytes = 4 * size
  const ahead = new Prefetcher<Counted>(module, shared({ size }), { workers: 2 })
  for (let step = 0; step < 20; step++) await ahead.at(step)
  const before = await held()
  for (let step = 20; step < 60; step++) await ahead.at(step)
  const more = (await held()) - before
  // Those on their way count.
  assert.ok(more < 8 * bytes, `${more} bytes more after 40 batches of ${bytes}`)
  await ahead.close()
})
