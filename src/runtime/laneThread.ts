/** The thread of a lane: decodes the batches that it is given while it encodes the one before. */
import { parentPort, workerData } from 'node:worker_threads'
import { failureOf } from '../base/errors.js'
import type { Answered, Asked } from '../base/threads.js'
import { decodeAll } from '../data/pictures/decode.js'
import { type EncoderSetup, ItemEncoder, pictureOptions, type Vectors } from './encoder.js'
import type { Model } from './model.js'

export interface EncodeTask {
  /** Encoded as JPEG and the like; null where there is none, an Error where it could not be read. */
  pictures: readonly (Uint8Array | Error | null)[]
  titles: readonly (string | null)[]
}

/** A line for people, or that the lane is open. */
export type Message = { say: string } | { provider: Model['provider'] }

const setup = workerData as EncoderSetup
const answer = (value: Message | Answered<Encoded[]>) => parentPort!.postMessage(value)

try {
  const encoder = await ItemEncoder.open(setup, (say) => answer({ say }))
  let last: Promise<void> = Promise.resolve()
  parentPort!.on('message', ({ id, task: { pictures, titles } }: Asked<EncodeTask>) => {
    const decoding = decodeAll(pictures, { folder: '' }, pictureOptions(setup))
    const turn = last.then(async () => answer({ id, result: await encodeItems(await decoding, titles) }))
    last = turn.catch(fail)
  })
  answer({ provider: encoder.provider })

  async function encodeItems(decoded: (Uint8Array | Error | null)[], titles: EncodeTask['titles']): Promise<Encoded[]> {
    const pictures = decoded.map((picture) => (picture instanceof Uint8Array ? picture : null))
    const present = titles.flatMap((title, i) => (title === null && pictures[i] === null ? [] : [i]))
    const vectors = await encoder.encode(
      present.map((i) => pictures[i]),
      present.map((i) => titles[i]),
    )
    const items = decoded.map((picture): Encoded => {
      return { vectors: null, ...(picture instanceof Error ? { broken: picture.message } : {}) }
    })
    for (const [k, i] of present.entries()) items[i].vectors = vectors[k]
    return items
  }
} catch (error) {
  fail(error)
}

function fail(thrown: unknown): void {
  answer({ failure: failureOf(thrown) })
}

/** What became of an item. */
export interface Encoded {
  /** null: there is nothing to make a vector of. */
  vectors: Vectors | null
  /** Why its picture counts as missing. */
  broken?: string
}
