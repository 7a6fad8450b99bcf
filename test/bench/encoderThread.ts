/** A session on ready pixels, in a thread as `mim embed` has it: what the encoder alone can do. */
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { Random } from '../../src/base/random.js'
import { openModel } from '../../src/runtime/model.js'
import { config } from './clip.js'
import { secondsOf } from './measure.js'

export interface SessionWork {
  folder: string
  batch: number
  /** Threads that the session computes in; 0: all cores. */
  threads: number
  steps: number
}

const { folder, batch, threads, steps } = workerData as SessionWork
const side = config.vision.imageSize
const random = Random.of('pixels')
const data = Float32Array.from({ length: batch * 3 * side * side }, () => random.normal())
const model = await openModel(join(folder, 'image.onnx'), { provider: 'cpu', threads }, () => {})
const inputs = { pixel_values: { data, shape: [batch, 3, side, side] } }
parentPort!.once('message', async () => {
  const seconds = await secondsOf(() => model.run(inputs), steps)
  await model.close()
  parentPort!.postMessage(batch / seconds)
  parentPort!.close()
})
parentPort!.postMessage('ready')
