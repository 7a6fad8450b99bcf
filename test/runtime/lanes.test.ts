import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { trainTokenizer } from '../../src/data/text/trainBpe.js'
import { initialValues } from '../../src/engine/state.js'
import { type EncoderSetup, exportModels } from '../../src/runtime/encoder.js'
import { EncoderLanes, laneCount } from '../../src/runtime/lanes.js'
import { temporaryFolder } from '../sample/folders.js'

const tower = { width: 8, layers: 1, heads: 2, hidden: 16, activation: 'gelu', epsilon: 1e-5 }
const config = {
  architecture: 'clip' as const,
  vision: { ...tower, imageSize: 8, patch: 4 },
  text: { ...tower, tokenTypes: 2, vocabulary: 600, positions: 8, padToken: 513, endToken: 513 },
  projection: 4,
  logitScale: 1,
}
const shape = { config, length: 8, fusion: undefined }
const setup: EncoderSetup = {
  folder: join(await temporaryFolder(), 'onnx'),
  provider: 'cpu',
  threads: 3,
  shape,
  tokenizer: trainTokenizer(['red shoes'], 600, 8),
  preprocessing: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], fit: 'fill' },
  maxImagePixels: 10_000,
}
await exportModels(shape, setup.folder, (spec) => initialValues(spec, 1))
const open: EncoderLanes[] = []
after(() => Promise.all(open.map((lanes) => lanes.close())))
const openLanes = async (threads: number) => {
  open.push(await EncoderLanes.open({ ...setup, threads }, () => {}))
  return open[open.length - 1]
}

test('when there are lanes for all threads then items get the vectors that one lane gives, and broken ones their reason', async () => {
  const draw = (background: string) =>
    sharp({ create: { width: 9, height: 5, channels: 3, background } })
      .jpeg()
      .toBuffer()
  const pictures = [await draw('#f00'), null, Buffer.from('no picture'), await draw('#00f'), new Error('gone'), null]
  const titles = ['red shoes', 'blue hat', 'green', null, null, null]
  const [one, three] = [await openLanes(1), await openLanes(3)]
  assert.deepEqual([one.count, three.count], [1, 3])
  const expected = await one.encode(pictures, titles)
  assert.deepEqual(
    expected.map(({ vectors }) => vectors !== null),
    [true, true, true, true, false, false],
  )
  assert.deepEqual(
    expected.map(({ broken }) => broken?.split(':')[0]),
    [...[undefined, undefined, 'no picture', undefined, 'gone', undefined]],
  )
  const found = await Promise.all(Array.from({ length: 7 }, () => three.encode(pictures, titles)))
  for (const items of found) assert.deepEqual(items, expected)
})

test('when a lane has failed then what it is given fails too, and for the same reason', async () => {
  const lanes = await openLanes(1)
  // No titles at all: as good as any fault of ours.
  const fault = () => lanes.encode([null], undefined as never)
  const reason = await fault().then(
    () => assert.fail('it did not fail'),
    (error: Error) => error.message,
  )
  await assert.rejects(lanes.encode([null], ['red shoes']), { message: reason })
})

test('when the provider is WebGPU then there is one lane, for its sessions must not run at once', () => {
  assert.deepEqual(
    (['cpu', 'cuda', 'webgpu'] as const).map((provider) => laneCount(provider, 16)),
    [16, 2, 1],
  )
})
