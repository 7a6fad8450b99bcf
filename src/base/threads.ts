/** Worker threads that run tasks and return their results as promises. */
import { Worker } from 'node:worker_threads'
import { errorOf, type Failure } from './errors.js'

/** A message to a thread. */
export interface TaskMessage<T> {
  id: number
  task: T
}

/** A message from a thread: the result of a task, or why the thread cannot run any more tasks. */
export type ResultMessage<R> = { id: number; result: R } | { failure: Failure }

export interface Listener<M> {
  /** Called with all other messages of the thread. */
  receive?(message: M): void
  /** Called when the thread has failed. */
  failed?(error: Error): void
}

/** A thread that runs tasks of type T with results of type R and may post other messages of type M. */
export class TaskThread<T, R, M = never> {
  private readonly worker: Worker
  private readonly pending = new Map<number, { resolve(result: R): void; reject(error: Error): void }>()
  private nextId = 0
  private failure?: Error

  /** `purpose` completes "a thread that …" in the error of a thread that exits unexpectedly. */
  constructor(
    module: URL,
    workerData: unknown,
    purpose: string,
    private readonly listener: Listener<M> = {},
  ) {
    this.worker = new Worker(module, { workerData })
    this.worker.on('message', (message: ResultMessage<R> | M) => this.receive(message))
    this.worker.on('error', (error: Error) => this.fail(error))
    this.worker.on('exit', (code) => this.fail(new Error(`a thread that ${purpose} ended with code ${code}`)))
  }

  /** The thread with the fewest pending tasks. */
  static leastBusy<Thread extends TaskThread<never, unknown, never>>(threads: readonly Thread[]): Thread {
    return threads.reduce((least, thread) => (thread.pending.size < least.pending.size ? thread : least))
  }

  run(task: T): Promise<R> {
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure)
      this.pending.set(id, { resolve, reject })
      // Only pending tasks keep the process alive.
      this.worker.ref()
      this.worker.postMessage({ id, task } satisfies TaskMessage<T>)
    })
  }

  /** Allows the process to exit while the thread is idle. */
  unrefIfIdle(): void {
    if (this.pending.size === 0) this.worker.unref()
  }

  async close(): Promise<void> {
    await this.worker.terminate()
  }

  private receive(message: ResultMessage<R> | M): void {
    const answer = message as Partial<{ id: number; result: R; failure: Failure }>
    if (answer.failure) this.fail(errorOf(answer.failure))
    else if (answer.id === undefined) this.listener.receive?.(message as M)
    else {
      this.pending.get(answer.id)!.resolve(answer.result as R)
      this.pending.delete(answer.id)
      this.unrefIfIdle()
    }
  }

  private fail(error: Error): void {
    this.listener.failed?.(error)
    this.failure ??= error
    for (const { reject } of this.pending.values()) reject(error)
    this.pending.clear()
    void this.worker.terminate()
  }
}
