/** The encoders of an extraction: how many run in parallel, and with how many items per batch. */
import sharp from 'sharp'
import type { ModelFolder } from '../../checkpoint/folder.js'
import type { EmbedConfig } from '../../config/embed.js'
import { encoderShape } from '../../models/encoder.js'
import { fittingBatch } from '../../runtime/batch.js'
import { exportEncoder } from '../../runtime/encoder.js'
import { EncoderLanes } from '../../runtime/lanes.js'
import type { Run } from '../../train/run.js'
import { encoderSetup } from './describe.js'

/** Exports the model to ONNX and opens its encoders. Close them when done. */
export async function openLanes(config: EmbedConfig, model: ModelFolder, run: Run): Promise<EncoderLanes> {
  const setup = encoderSetup(config, model, run.path('onnx'))
  await exportEncoder(model.path, setup.shape, setup.folder, config.precision)
  const lanes = await EncoderLanes.open(setup, (line) => run.say(line))
  run.say(`provider: ${lanes.provider}; parallel encoders: ${lanes.count}`)
  return lanes
}

/** The batch size that is fastest on this machine, tried with gray pictures and numbers as titles. */
export async function chooseBatch(lanes: EncoderLanes, model: ModelFolder, run: Run): Promise<number> {
  const side = encoderShape(model).config.vision.imageSize
  const blank = { width: side, height: side, channels: 3, background: '#808080' } as const
  const picture = new Uint8Array(await sharp({ create: blank }).png().toBuffer())
  let titles = 0
  const encode = (items: number) =>
    lanes.encode(
      Array.from({ length: items }, () => picture),
      // All different: equal titles would be encoded once.
      Array.from({ length: items }, () => String(titles++)),
    )
  const { size, reason } = await fittingBatch(async (items) => {
    await Promise.all(Array.from({ length: lanes.count }, () => encode(items)))
  })
  run.say(`batch: ${size}; ${reason}`)
  return size
}
