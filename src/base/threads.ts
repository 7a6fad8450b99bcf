/** Threads that are given tasks: what they are asked comes back as a promise. */
import { Worker } from 'node:worker_threads'
import { errorOf, type Failure } from './errors.js'

/** What a thread gets. */
export interface Asked<T> {
  id: number
  task: T
}

/** What it posts when a task is done, or when it can do nothing any more. */
export type Answered<R> = { id: number; result: R } | { failure: Failure }

export interface Listener<M> {
  /** Hears what else the thread posts. */
  hear?(message: M): void
  /** Hears why it does nothing any more. */
  failed?(error: Error): void
}

/** A thread for tasks of type T with results of type R, that may post messages of type M besides. */
export class TaskThread<T, R, M = never> {
  private readonly worker: Worker
  private readonly waiting = new Map<number, { resolve(result: R): void; reject(error: Error): void }>()
  private asked = 0
  private failure?: Error

  /** `purpose` completes "a thread that …", for the error of one that ends by itself. */
  constructor(
    module: URL,
    workerData: unknown,
    purpose: string,
    private readonly listener: Listener<M> = {},
  ) {
    this.worker = new Worker(module, { workerData })
    this.worker.on('message', (message: Answered<R> | M) => this.receive(message))
    this.worker.on('error', (error: Error) => this.fail(error))
    this.worker.on('exit', (code) => this.fail(new Error(`a thread that ${purpose} ended with code ${code}`)))
  }

  /** Of `threads` the one that has least to do. */
  static leastBusy<Thread extends TaskThread<never, unknown, never>>(threads: readonly Thread[]): Thread {
    return threads.reduce((least, thread) => (thread.waiting.size < least.waiting.size ? thread : least))
  }

  ask(task: T): Promise<R> {
    const id = this.asked++
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure)
      this.waiting.set(id, { resolve, reject })
      // Only work that is waited for keeps the process alive: where a run fails, threads have nothing to do.
      this.worker.ref()
      this.worker.postMessage({ id, task } satisfies Asked<T>)
    })
  }

  /** Lets the process end while the thread has nothing to do. */
  rest(): void {
    if (this.waiting.size === 0) this.worker.unref()
  }

  async close(): Promise<void> {
    await this.worker.terminate()
  }

  private receive(message: Answered<R> | M): void {
    const answer = message as Partial<{ id: number; result: R; failure: Failure }>
    if (answer.failure) this.fail(errorOf(answer.failure))
    else if (answer.id === undefined) this.listener.hear?.(message as M)
    else {
      this.waiting.get(answer.id)!.resolve(answer.result as R)
      this.waiting.delete(answer.id)
      this.rest()
    }
  }

  private fail(error: Error): void {
    this.listener.failed?.(error)
    this.failure ??= error
    for (const { reject } of this.waiting.values()) reject(error)
    this.waiting.clear()
    void this.worker.terminate()
  }
}
