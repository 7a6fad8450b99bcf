/**
 * Batches made ahead of need by worker threads: a training step blocks the main thread, and the next batches
 * come into being meanwhile. A batch depends on the seed and its step alone, so it is the same whoever makes
 * it, and when.
 */
import { availableParallelism } from 'node:os'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { errorOf } from '../base/errors.js'
import type { Made, Notice, Start } from './prefetcherThread.js'

export interface PrefetcherOptions {
  /** Threads; 0: one for every four cores. */
  workers: number
}

interface Pending {
  /** Settles when the batch lies ready, or cannot be made. */
  ready: Promise<void>
  resolve(): void
  reject(error: Error): void
}

interface Thread {
  worker: Worker
  batches: MessagePort
}

/**
 * Makes what `batches` of a module makes: `export function batches(shared): (step: number) => T | Promise<T>`. `shared`
 * is cloned for each thread but for arrays in shared memory; the arrays of a T are handed over without a copy.
 */
export class Prefetcher<T> {
  private readonly count: number
  private readonly pending = new Map<number, Pending>()
  /** Batches that were taken in before their turn. */
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
   * What step `step` learns from. Steps that follow it are then being made, one more than there are threads;
   * an error of a thread is thrown when its step is asked for.
   */
  async at(step: number): Promise<T> {
    const { pending, count } = this
    if (this.threads.length === 0) this.start()
    for (let next = step; next <= step + count + 1; next++) if (!pending.has(next)) this.request(next)
    // Only who waits for a batch keeps the process alive.
    for (const { worker } of this.threads) worker.ref()
    try {
      await pending.get(step)!.ready
      return this.take(step)
    } finally {
      pending.delete(step)
      for (const { worker } of this.threads) worker.unref()
    }
  }

  /** Ends the threads; batches that nobody asked for are dropped. */
  async close(): Promise<void> {
    const { threads } = this
    this.threads = []
    this.pending.clear()
    this.early.clear()
    await Promise.all(threads.map(({ worker }) => worker.terminate()))
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
    // A failure is told when its turn comes, not as unhandled.
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
   * The batch of a step that is ready. Until then it lies outside of the heap: one that waited there for its turn
   * would outlive collections of young objects, and keep its memory until the rare one of old ones.
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
