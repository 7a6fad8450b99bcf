/**
 * Worker threads that make batches ahead of time: a training step blocks the main thread, and meanwhile they make the
 * next batches. A batch depends only on the seed and its step, so it is the same whichever thread makes it, and when.
 */
import { availableParallelism } from 'node:os'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { errorOf } from '../base/errors.js'
import { endThread } from '../base/processes/threads.js'
import type { Made, Notice, Start } from './prefetcherThread.js'

export interface PrefetcherOptions {
  /** Number of threads; 0: one for every four cores. */
  workers: number
}

interface Pending {
  /** Settles when the batch is ready, or cannot be made. */
  ready: Promise<void>
  resolve(): void
  reject(error: Error): void
}

interface Thread {
  worker: Worker
  batches: MessagePort
}

/**
 * Runs `export function batches(shared): (step: number) => T | Promise<T>` of a module in threads. `shared` is cloned
 * for each thread, except for arrays in shared memory; the arrays of a T are transferred without a copy.
 */
export class Prefetcher<T> {
  private readonly count: number
  private readonly pending = new Map<number, Pending>()
  /** Batches received before their turn. */
  private readonly early = new Map<number, T>()
  private threads: Thread[] = []

  constructor(
    private readonly module: URL,
    private readonly shared: object,
    { workers }: PrefetcherOptions,
  ) {
    this.count = workers || Math.max(1, availableParallelism() >> 2)
  }

  /**
   * The batch of step `step`. Requests the batches of the following steps too, one more than there are threads.
   * An error in a thread is thrown when its step is requested.
   */
  async at(step: number): Promise<T> {
    const { pending, count } = this
    if (this.threads.length === 0) this.start()
    for (let next = step; next <= step + count + 1; next++) if (!pending.has(next)) this.request(next)
    // Threads keep the process alive only while a batch is awaited.
    for (const { worker } of this.threads) worker.ref()
    try {
      await pending.get(step)!.ready
      return this.take(step)
    } finally {
      pending.delete(step)
      for (const { worker } of this.threads) worker.unref()
    }
  }

  /** Ends the threads and drops batches that were not taken. A later `at` starts new threads. */
  async close(): Promise<void> {
    const { threads } = this
    this.threads = []
    this.pending.clear()
    this.early.clear()
    await Promise.all(threads.map(({ worker }) => endThread(worker)))
  }

  private start(): void {
    this.threads = Array.from({ length: this.count }, () => {
      const { port1: batches, port2: out } = new MessageChannel()
      const workerData: Start = { module: this.module.href, shared: this.shared, out }
      const worker = new Worker(new URL('./prefetcherThread.js', import.meta.url), { workerData, transferList: [out] })
      worker.on('message', (notice: Notice) => this.hear(notice))
      worker.on('error', (error: Error) => this.fail(error))
      worker.on('exit', (code) => this.fail(new Error(`a thread that makes batches ended with code ${code}`)))
      return { worker, batches }
    })
  }

  private request(step: number): void {
    let [resolve, reject] = [() => {}, (_: Error) => {}]
    const ready = new Promise<void>((...callbacks) => {
      ;[resolve, reject] = callbacks
    })
    // An error is reported when its step is requested, not as an unhandled rejection.
    ready.catch(() => {})
    this.pending.set(step, { ready, resolve, reject })
    this.threads[step % this.count].worker.postMessage(step)
  }

  private hear({ step, failure }: Notice): void {
    const waiting = this.pending.get(step)
    if (!failure) waiting?.resolve()
    else waiting?.reject(errorOf(failure))
  }

  /**
   * Receives the batch of a step that is ready. Until then the batch stays in the message port, outside the heap: in
   * the heap it would survive collections of young objects, and keep its memory until a rare full collection.
   */
  private take(step: number): T {
    const { early } = this
    const { batches } = this.threads[step % this.count]
    while (!early.has(step)) {
      const { message } = receiveMessageOnPort(batches) as { message: Made<T> }
      early.set(message.step, message.value)
    }
    const value = early.get(step)!
    early.delete(step)
    return value
  }

  private fail(error: Error): void {
    for (const { reject } of this.pending.values()) reject(error)
  }
}
