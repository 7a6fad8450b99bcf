/**
 * Encoders side by side, each in a thread with a session and a share of the cores of its own. Lanes wait for nothing
 * but work: threads of one session would wait for each other after every operation, most of all where pictures are
 * decoded on the same cores.
 */
import { availableParallelism, totalmem } from 'node:os'
import { Worker } from 'node:worker_threads'
import { errorOf } from '../errors.js'
import { bytesOf, type EncoderSetup, type Vectors } from './encoder.js'
import type { Answer, Opened, Task } from './laneThread.js'

/** What became of an item. */
export interface Encoded {
  /** null: there is nothing to make a vector of. */
  vectors: Vectors | null
  /** Why its picture counts as missing. */
  broken?: string
}

interface Lane {
  worker: Worker
  waiting: Map<number, { resolve(items: Encoded[]): void; reject(error: Error): void }>
  /** Why it does nothing any more. */
  failure?: Error
}

/** Weights, as often as there are lanes, take at most this share of the memory. */
const memoryShare = 1 / 8
/** A GPU is one: the second lane gets the next batch ready meanwhile. */
const gpuLanes = 2

export class EncoderLanes {
  private tasks = 0

  private constructor(
    private readonly lanes: readonly Lane[],
    readonly provider: string,
  ) {}

  /**
   * Opens encoders by the models that `exportEncoder` wrote; `say` hears which provider was passed over.
   * @throws UserError as `openModel`.
   */
  static async open(setup: EncoderSetup, say: (line: string) => void): Promise<EncoderLanes> {
    const threads = setup.threads || availableParallelism()
    const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity)
    const most = Math.floor((memoryShare * memory) / bytesOf(setup.folder))
    const each = Math.ceil(threads / Math.min(Math.max(most, 1), threads))
    const first = await openLane({ ...setup, threads: each }, say)
    const { provider } = first
    const count = provider === 'cpu' ? Math.floor(threads / each) : gpuLanes
    const others = Array.from({ length: count - 1 }, () => openLane({ ...setup, provider, threads: each }, say))
    return new EncoderLanes(
      [first, ...(await Promise.all(others))].map(({ lane }) => lane),
      provider,
    )
  }

  get count(): number {
    return this.lanes.length
  }

  /** Decodes and encodes a batch on the lane that has least to do. Null stands for a missing picture or title. */
  encode(pictures: readonly (Uint8Array | Error | null)[], titles: readonly (string | null)[]): Promise<Encoded[]> {
    const lane = this.lanes.reduce((least, lane) => (lane.waiting.size < least.waiting.size ? lane : least))
    const task: Task = { id: this.tasks++, pictures, titles }
    return new Promise((resolve, reject) => {
      if (lane.failure) return reject(lane.failure)
      lane.waiting.set(task.id, { resolve, reject })
      // Only work that is waited for keeps the process alive: where a run fails, lanes have nothing to do.
      lane.worker.ref()
      lane.worker.postMessage(task)
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.lanes.map(({ worker }) => worker.terminate()))
  }
}

async function openLane(
  setup: EncoderSetup,
  say: (line: string) => void,
): Promise<{ lane: Lane; provider: EncoderSetup['provider'] }> {
  const worker = new Worker(new URL('./laneThread.js', import.meta.url), { workerData: setup })
  const lane: Lane = { worker, waiting: new Map() }
  const { waiting } = lane
  const opened = new Promise<Opened>((resolve, reject) => {
    const fail = (error: Error) => {
      reject(error)
      lane.failure ??= error
      for (const task of waiting.values()) task.reject(error)
      waiting.clear()
      void worker.terminate()
    }
    worker.on('message', (answer: Answer) => {
      if ('say' in answer) say(answer.say)
      else if ('provider' in answer) resolve(answer)
      else if ('failure' in answer) fail(errorOf(answer.failure))
      else {
        waiting.get(answer.task)!.resolve(answer.items)
        waiting.delete(answer.task)
        if (waiting.size === 0) worker.unref()
      }
    })
    worker.on('error', fail)
    worker.on('exit', (code) => fail(new Error(`a thread that encodes ended with code ${code}`)))
  })
  const { provider } = await opened
  worker.unref()
  return { lane, provider }
}
