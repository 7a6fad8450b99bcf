import { z } from 'zod'
import { listKinds, vectorTypes } from '../store/index.js'
import { dataOptions, table } from './common.js'
import { itemColumns, pictureLimits } from './pretrain.js'

export const embedConfig = z.strictObject({
  data: z
    .strictObject({ ...dataOptions, items: table('items', 'The catalogue'), columns: itemColumns, ...pictureLimits })
    .prefault({}),
  checkpoint: z
    .string()
    .default('')
    .describe('Hugging Face folder of the encoder, e.g. runs/sft/checkpoint, or hf:owner/name[@revision] to fetch one'),
  provider: z
    .enum(['auto', 'cuda', 'webgpu', 'cpu'])
    .default('auto')
    .describe('ONNX Runtime provider; auto: the first of them that starts; one asked for by name must start'),
  threads: z
    .int()
    .nonnegative()
    .default(0)
    .describe('Threads of the CPU provider, shared by encoders side by side; 0: one for each core'),
  batch: z
    .union([z.int().positive(), z.literal('auto')])
    .default(64)
    .describe('Items encoded at a time; auto: tried out, as many as memory has room for and speed gains from'),
  precision: z
    .enum(['fp32', 'fp16'])
    .default('fp32')
    .describe(
      'What the matrix products of the encoders multiply in; fp16 gains by WebGPU; CUDA multiplies fp32 in TF32, ' +
        'which is as fast',
    ),
  type: z
    .enum(vectorTypes)
    .default('float32')
    .describe('How numbers are stored; int8: a quarter of the size, scale 1/127'),
  dim: z
    .int()
    .nonnegative()
    .default(0)
    .describe('Numbers of a vector that are kept, the first ones, back at unit norm (Matryoshka); 0: all'),
  words: z
    .number()
    .min(0)
    .max(0.9)
    .default(0)
    .describe(
      'Share of the words of titles in the cosine of two items: the mean of their token embeddings stands beside the ' +
        'content vector, which knows of them what pictures and choices taught it; 0: none',
    ),
  lists: z
    .enum(listKinds)
    .default('variable')
    .describe(
      'Vectors in Parquet; fixed: its Arrow schema says their size, by which Arrow, pandas and Polars read them',
    ),
  safetensors: z
    .boolean()
    .default(false)
    .describe(
      'Write embeddings.safetensors, too: the arrays as tensors in the order of item_id.npy, or .utf8, beside it',
    ),
  keepMissing: z.boolean().default(false).describe('Keep the vectors of items that left the catalogue'),
  keepTables: z.int().positive().default(2).describe('Tables kept side by side, the published one included'),
})

export type EmbedConfig = z.output<typeof embedConfig>
