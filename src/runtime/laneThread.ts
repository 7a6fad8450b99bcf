/** The thread of a lane: decodes a batch while it encodes the one before. */
import { parentPort, workerData } from 'node:worker_threads'
import { failureOf } from '../base/errors.js'
import { type ResultMessage, serve, type TaskMessage } from '../base/processes/threads.js'
import { decodeAll } from '../data/pictures/decode.js'
import { type EncoderSetup, ItemEncoder, pictureOptions, type Vectors } from './encoder.js'
import type { Model } from './model.js'

export interface EncodeTask {
  /** Bytes of JPEG, PNG etc.; null for none, an Error for an unreadable file. */
  pictures: readonly (Uint8Array | Error | null)[]
  titles: readonly (string | null)[]
}

/** A line for the user, or the provider once the lane is open. */
export type Message = { say: string } | { provider: Model['provider'] }

const setup = workerData as EncoderSetup
const answer = (value: Message | ResultMessage<Encoded[]>) => parentPort!.postMessage(value)

try {
  const encoder = await ItemEncoder.open(setup, (say) => answer({ say }))
  let last: Promise<void> = Promise.resolve()
  let isOver = false
  const receive = ({ id, task: { pictures, titles } }: TaskMessage<EncodeTask>) => {
    const decoding = decodeAll(pictures, { folder: '' }, pictureOptions(setup))
    const turn = last.then(async () => {
      if (!isOver) answer({ id, result: await encodeItems(await decoding, titles) })
    })
    last = turn.catch(fail)
  }
  serve(receive, () => {
    isOver = true
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

/** The result of an item. */
export interface Encoded {
  /** null for an item without a title and a readable picture. */
  vectors: Vectors | null
  /** Why its picture could not be used; it counts as missing. */
  broken?: string
}
