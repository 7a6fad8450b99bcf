/** Batches for tests of `Prefetcher`: what step `n` gets tells how far the threads have come. */
import { threadId } from 'node:worker_threads'
import { UserError } from '../../src/base/errors.js'

export interface Counted {
  numbers: Float32Array
  /** A number of shared data, which another thread may change. */
  seen: number
  thread: number
}

/** Counts its calls in `made[0]`; fails at step `fails` with `how`. */
export interface Counting {
  made: Int32Array
  /** Numbers of a batch; 3 if it is left out. */
  size?: number
  fails?: number
  how?: 'user' | 'error' | 'exit'
}

export function batches({ made, size = 3, fails, how }: Counting): (step: number) => Counted {
  return (step) => {
    if (step === fails) {
      if (how === 'exit') process.exit(3)
      if (how === 'user') throw new UserError({ id: 'planted', what: 'a bad row', where: 'file' })
      throw new Error('planted failure')
    }
    Atomics.add(made, 0, 1)
    return { numbers: new Float32Array(size).fill(step), seen: made[1], thread: threadId }
  }
}
