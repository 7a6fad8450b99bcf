import { z } from 'zod'
import { listKinds, vectorTypes } from '../store/index.js'
import { dataOptions, most, table } from './common.js'
import { itemColumns, pictureLimits } from './pretrain.js'

export const embedConfig = z.strictObject({
  data: z
    .strictObject({
      ...dataOptions,
      items: table('items', 'Items table (the catalogue)'),
      columns: itemColumns,
      ...pictureLimits,
    })
    .prefault({}),
  checkpoint: z
    .string()
    .default('')
    .describe('Encoder: a Hugging Face folder, e.g. runs/sft/checkpoint, or hf:owner/name[@revision] to download'),
  provider: z
    .enum(['auto', 'cuda', 'webgpu', 'cpu'])
    .default('auto')
    .describe('ONNX Runtime execution provider; auto: the first one that starts; a named one must start'),
  threads: z
    .int()
    .nonnegative()
    .max(most.threads)
    .default(0)
    .describe('Threads of the CPU provider, shared by parallel encoders; 0: one per core'),
  batch: z
    .union([z.int().positive().max(most.batch), z.literal('auto')])
    .default(64)
    .describe('Batch size in items; auto: measured, the largest that fits into memory and still gains speed'),
  precision: z
    .enum(['fp32', 'fp16'])
    .default('fp32')
    .describe(
      'Precision of matrix products; fp16 is faster with WebGPU; CUDA computes fp32 in TF32, which is as fast as fp16',
    ),
  type: z
    .enum(vectorTypes)
    .default('float32')
    .describe('Storage type of vectors; int8: a quarter of the size, scale 1/127'),
  dim: z
    .int()
    .nonnegative()
    .max(most.width)
    .default(0)
    .describe('Dimensions kept: the first ones, normalized again (Matryoshka); 0: all'),
  words: z
    .number()
    .min(0)
    .max(0.9)
    .default(0)
    .describe(
      'Weight of the words of titles in the cosine of two items: appends the mean token embedding of the title to the ' +
        'content vector; 0: off',
    ),
  lists: z
    .enum(listKinds)
    .default('variable')
    .describe('List type of vectors in Parquet; fixed: fixed-size lists for Arrow, pandas and Polars'),
  safetensors: z
    .boolean()
    .default(false)
    .describe(
      'Also write embeddings.safetensors: the same arrays as tensors, in the row order of item_id.npy or item_id.utf8',
    ),
  keepMissing: z.boolean().default(false).describe('Keep the vectors of items that left the catalogue'),
  keepTables: z.int().positive().default(2).describe('Versions of the table to keep, the published one included'),
})

export type EmbedConfig = z.output<typeof embedConfig>
