/** A thread of `Prefetcher`: makes the batches of the requested steps, one after another. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type Failure, failureOf } from '../base/errors.js'
import { serve } from '../base/processes/threads.js'

/** Data for a new thread. */
export interface Start {
  module: string
  shared: object
  /** Port to which batches are sent. */
  out: MessagePort
}

export interface Made<T> {
  step: number
  value: T
}

/** Sent for each step: its batch is ready, or `failure` says why not. */
export interface Notice {
  step: number
  failure?: Failure
}

const { module, shared, out } = workerData as Start
const { batches } = (await import(module)) as { batches(shared: object): (step: number) => unknown }
let make: ReturnType<typeof batches> | undefined
let last = Promise.resolve()
let isOver = false

serve(
  (step: number) => {
    last = last.then(() => answer(step))
  },
  () => {
    isOver = true
    out.close()
  },
)

async function answer(step: number): Promise<void> {
  if (isOver) return
  try {
    make ??= batches(shared)
    const value = await make(step)
    out.postMessage({ step, value } satisfies Made<unknown>, [...buffersIn(value)])
    parentPort!.postMessage({ step } satisfies Notice)
  } catch (thrown) {
    parentPort!.postMessage({ step, failure: failureOf(thrown) } satisfies Notice)
  }
}

/** Buffers in a tree of plain values that can be transferred to another thread. */
function buffersIn(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer)
  } else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) buffersIn(inner, found)
  }
  return found
}
