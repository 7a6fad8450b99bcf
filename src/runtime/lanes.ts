/**
 * Encoders side by side, each in a thread with a session and a share of the cores of its own. Lanes wait for nothing
 * but work: threads of one session would wait for each other after every operation, most of all where pictures are
 * decoded on the same cores.
 */
import { availableParallelism, totalmem } from 'node:os'
import { TaskThread } from '../base/threads.js'
import { bytesOf, type EncoderSetup } from './encoder.js'
import type { Encoded, EncodeTask, Message } from './laneThread.js'
import type { Model } from './model.js'

type Lane = TaskThread<EncodeTask, Encoded[], Message>

/** Weights, as often as there are lanes, take at most this share of the memory. */
const memoryShare = 1 / 8
/**
 * A GPU is one: the second lane gets the next batch ready meanwhile. Not by WebGPU, where sessions that run at once end
 * the process (github.com/microsoft/onnxruntime/issues/32561).
 */
const gpuLanes = { cuda: 2, webgpu: 1 }

export class EncoderLanes {
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
    const count = laneCount(provider, Math.floor(threads / each))
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
    return TaskThread.leastBusy(this.lanes).ask({ pictures, titles })
  }

  async close(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.close()))
  }
}

/** Lanes of a provider; `cpus` where it is the CPU. */
export function laneCount(provider: Model['provider'], cpus: number): number {
  return provider === 'cpu' ? cpus : gpuLanes[provider]
}

function openLane(
  setup: EncoderSetup,
  say: (line: string) => void,
): Promise<{ lane: Lane; provider: Model['provider'] }> {
  return new Promise((resolve, failed) => {
    const hear = (message: Message) => {
      if ('say' in message) return say(message.say)
      lane.rest()
      resolve({ lane, provider: message.provider })
    }
    const lane: Lane = new TaskThread(new URL('./laneThread.js', import.meta.url), setup, 'encodes', { hear, failed })
  })
}
