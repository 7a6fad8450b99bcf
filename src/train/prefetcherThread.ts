/** A thread of `Prefetcher`: makes the batches of the steps that it is asked for, one after the other. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type Failure, failureOf } from '../base/errors.js'

/** What a thread starts with. */
export interface Start {
  module: string
  shared: object
  /** Where batches go. */
  out: MessagePort
}

export interface Made<T> {
  step: number
  value: T
}

/** Told of each step when it is made, or why it is not. */
export interface Notice {
  step: number
  failure?: Failure
}

const { module, shared, out } = workerData as Start
const { batches } = (await import(module)) as { batches(shared: object): (step: number) => unknown }
let make: ReturnType<typeof batches> | undefined
let last = Promise.resolve()

parentPort!.on('message', (step: number) => {
  last = last.then(() => answer(step))
})

async function answer(step: number): Promise<void> {
  try {
    make ??= batches(shared)
    const value = await make(step)
    out.postMessage({ step, value } satisfies Made<unknown>, [...buffersIn(value)])
    parentPort!.postMessage({ step } satisfies Notice)
  } catch (thrown) {
    parentPort!.postMessage({ step, failure: failureOf(thrown) } satisfies Notice)
  }
}

/** Memory below a tree of plain values that one thread alone can have. */
function buffersIn(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer)
  } else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) buffersIn(inner, found)
  }
  return found
}
