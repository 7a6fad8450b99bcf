/** Worker threads that run tasks and return their results as promises. */
import { setTimeout } from 'node:timers/promises'
import { parentPort, Worker } from 'node:worker_threads'
import { errorOf, type Failure } from '../errors.js'

/** The message that ends a thread. */
const end = 'end'

/** How long a thread may take to end [ms]: the longest work of a library that may be under way. */
const endsWithin = 60_000

/**
 * Lets a thread end by itself: one that is terminated while a library (DuckDB, sharp, ONNX Runtime) works for it takes
 * the whole process with it, because the library then reports to a thread that is no more.
 */
export async function endThread(worker: Worker): Promise<void> {
  if (worker.threadId < 0) return
  const exit = new Promise((resolve) => worker.once('exit', resolve))
  // Else the process could end before the thread.
  worker.ref()
  worker.postMessage(end)
  const patience = new AbortController()
  const late = setTimeout(endsWithin, undefined, { signal: patience.signal, ref: false }).then(
    () => worker.terminate(),
    () => {},
  )
  await exit
  patience.abort()
  await late
}

/**
 * In a thread: calls `receive` with each message until the thread is to end, then `close`. The thread ends when the work
 * under way is done.
 */
export function serve<T>(receive: (message: T) => void, close: () => void = () => {}): void {
  const port = parentPort!
  port.on('message', (message: T | typeof end) => {
    if (message !== end) return receive(message)
    port.close()
    close()
  })
}

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
    await endThread(this.worker)
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
    void endThread(this.worker)
  }
}
