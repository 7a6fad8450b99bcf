import { z } from 'zod'
import { dataOptions, table } from './common.js'
import { itemColumns, pictureLimits } from './pretrain.js'

export const embedConfig = z.strictObject({
  data: z
    .strictObject({ ...dataOptions, items: table('items', 'The catalogue'), columns: itemColumns, ...pictureLimits })
    .prefault({}),
  checkpoint: z.string().default('').describe('Hugging Face folder of the encoder, e.g. runs/sft/checkpoint'),
  provider: z
    .enum(['auto', 'cuda', 'cpu'])
    .default('auto')
    .describe('ONNX Runtime provider; one asked for by name must start'),
  threads: z.int().nonnegative().default(0).describe('Threads of the CPU provider; 0: one for each core'),
  batch: z.int().positive().default(128).describe('Items of one run of the encoder'),
})

export type EmbedConfig = z.output<typeof embedConfig>
