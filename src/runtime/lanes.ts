/**
 * Parallel encoders ("lanes"): each is a thread with its own session and its own share of the cores. They are faster
 * than one session with many threads, which wait for each other after every operation, in particular while other
 * threads decode pictures on the same cores.
 */
import './noTelemetry.js'
import { availableParallelism, totalmem } from 'node:os'
import { TaskThread } from '../base/processes/threads.js'
import { bytesOf, type EncoderSetup } from './encoder.js'
import type { Encoded, EncodeTask, Message } from './laneThread.js'
import type { Model } from './model.js'

type Lane = TaskThread<EncodeTask, Encoded[], Message>

/** The weights of all lanes together take at most this share of the memory. */
const memoryShare = 1 / 8
/**
 * Lanes of a GPU. With CUDA the second one prepares the next batch. With WebGPU there is only one, because sessions
 * that run at the same time crash the process (github.com/microsoft/onnxruntime/issues/32561).
 */
const gpuLanes = { cuda: 2, webgpu: 1 }

/** Close it when done. */
export class EncoderLanes implements AsyncDisposable {
  private constructor(
    private readonly lanes: readonly Lane[],
    readonly provider: string,
  ) {}

  /**
   * Opens encoders of the models that `exportEncoder` wrote; `say` reports skipped providers.
   * @throws UserError of `openModel`.
   */
  static async open(setup: EncoderSetup, say: (line: string) => void): Promise<EncoderLanes> {
    const threads = setup.threads || availableParallelism()
    const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity)
    const most = Math.floor((memoryShare * memory) / bytesOf(setup.folder))
    const each = Math.ceil(threads / Math.min(Math.max(most, 1), threads))
    const first = await openLane({ ...setup, threads: each }, say)
    const { provider } = first
    const count = laneCount(provider, Math.floor(threads / each))
    const others = Array.from({ length: count - 1 }, () => openLane({ ...setup, provider, threads: each }, say))
    const results = await Promise.allSettled(others)
    const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.lane] : []))
    const lanes = new EncoderLanes([first.lane, ...opened], provider)
    const failed = results.find((result) => result.status === 'rejected')
    if (!failed) return lanes
    await lanes.close()
    throw failed.reason
  }

  get count(): number {
    return this.lanes.length
  }

  /** Decodes and encodes a batch on the least busy lane; null for a missing picture or title. */
  encode(pictures: readonly (Uint8Array | Error | null)[], titles: readonly (string | null)[]): Promise<Encoded[]> {
    return TaskThread.leastBusy(this.lanes).run({ pictures, titles })
  }

  async close(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Number of lanes for a provider; for the CPU it is `cpus`. */
export function laneCount(provider: Model['provider'], cpus: number): number {
  return provider === 'cpu' ? cpus : gpuLanes[provider]
}

function openLane(
  setup: EncoderSetup,
  say: (line: string) => void,
): Promise<{ lane: Lane; provider: Model['provider'] }> {
  return new Promise((resolve, failed) => {
    const receive = (message: Message) => {
      if ('say' in message) return say(message.say)
      lane.unrefIfIdle()
      resolve({ lane, provider: message.provider })
    }
    const lane: Lane = new TaskThread(new URL('./laneThread.js', import.meta.url), setup, 'encodes', {
      receive,
      failed,
    })
  })
}
