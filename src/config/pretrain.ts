import { z } from 'zod'
import { usualItemColumns } from '../data/usualColumns.js'
import { contrastiveLosses } from '../losses/index.js'
import {
  dataOptions,
  engineOptions,
  layerDecayOption,
  loopOptions,
  microBatchOption,
  most,
  optimizerOptions,
  precisionOption,
  rateOptions,
  recomputeOption,
  seedOption,
  table,
} from './common.js'

export const itemColumns = z
  .strictObject({
    id: z.string().default('item_id').describe('Unique id: integer or string'),
    title: z
      .union([z.string(), z.array(z.string()).min(1)])
      .default(usualItemColumns.title)
      .describe('A column, or several such as [title, category], which are joined in this order'),
    image: z
      .string()
      .default(usualItemColumns.image)
      .describe(
        'Picture: encoded (binary), its path or data: URI (string), or struct<bytes, path>; null, empty or blank: none',
      ),
    category: z
      .string()
      .default(usualItemColumns.category)
      .describe('Category, for evaluation, reports and hard negatives'),
  })
  .prefault({})
  .describe(
    'Names of the columns of the items table; title, image and category may be missing under their default names, other names must exist',
  )

export const pictureLimits = {
  maxBadImages: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('Largest share of broken pictures among all pictures; above it the run stops'),
  maxImagePixels: z
    .int()
    .positive()
    .max(most.pixels)
    .default(50_000_000)
    .describe('Largest size of a picture in pixels; a larger one counts as broken'),
  allowOutside: z
    .boolean()
    .default(false)
    .describe(
      "Allow paths and links of pictures to lead out of the table's folder; false: such pictures count as broken",
    ),
}

export const pictureOptions = {
  cache: z.string().default('runs/cache').describe('Folder of the cache of decoded pictures; runs may share it'),
  cacheLimit: z
    .number()
    .min(0)
    .default(100)
    .describe(
      'Size limit of the cache in gigabytes; pictures unused for a day are evicted first. Pictures that do not fit are ' +
        'decoded again for each batch (train.workers), which is slow',
    ),
  ...pictureLimits,
}

export const augmentation = z
  .strictObject({
    crop: z
      .number()
      .gt(0)
      .max(1)
      .default(0.6)
      .describe('Random crops: smallest share of the area that a crop keeps; 1 disables crops'),
    mirror: z.boolean().default(true).describe('Random horizontal flip of half of the pictures'),
    tint: z
      .number()
      .min(0)
      .lt(1)
      .default(0.1)
      .describe('Color jitter: largest relative change of the brightness of a channel; 0 disables it'),
    dropWords: z.number().min(0).lt(1).default(0.1).describe('Word dropout rate of titles'),
  })
  .prefault({})
  .describe('Data augmentation: random changes of pictures and titles in training')

const frozen = z
  .union([z.enum(['none', 'all']), z.int().nonnegative().max(most.layers)])
  .default('none')
  .describe('none, all, or the number of blocks from the input on')

export const pretrainConfig = z.strictObject({
  data: z
    .strictObject({ ...dataOptions, items: table('items', 'The catalogue'), columns: itemColumns, ...pictureOptions })
    .prefault({}),
  init: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'Checkpoint to start from: a Hugging Face folder, or hf:owner/name[@revision] to download; null: train from scratch with the architecture in `model`',
    ),
  adapt: z
    .strictObject({
      imageSize: z
        .int()
        .positive()
        .max(most.side)
        .nullable()
        .default(null)
        .describe('Input resolution: pixels along a side; position embeddings are interpolated'),
      projection: z
        .int()
        .positive()
        .max(most.width)
        .nullable()
        .default(null)
        .describe('Projection dimension: width of image and text vectors; not for SigLIP'),
      textLength: z
        .int()
        .positive()
        .max(most.tokens)
        .nullable()
        .default(null)
        .describe('Context length: tokens of a title; fewer tokens save time if the model pads; not for SigLIP'),
    })
    .prefault({})
    .describe('Changes to the model that `init` names; null: no change'),
  freeze: z
    .strictObject({ vision: frozen, text: frozen })
    .prefault({})
    .describe('Frozen parts of the towers (LiT): none, all, or embeddings and first blocks'),
  model: z
    .strictObject({
      imageSize: z.int().positive().max(most.side).default(64).describe('Input resolution: pixels along a side'),
      patch: z
        .int()
        .positive()
        .max(most.side)
        .default(8)
        .describe('Patch size: pixels along a side; must divide imageSize'),
      width: z.int().positive().max(most.width).default(128).describe('Hidden size of both transformers'),
      layers: z.int().positive().max(most.layers).default(4).describe('Blocks of each transformer'),
      heads: z.int().positive().max(most.layers).default(4).describe('Attention heads; must divide width'),
      textLength: z
        .int()
        .positive()
        .max(most.tokens)
        .default(16)
        .describe('Context length: tokens of a title; longer titles are truncated'),
      vocabulary: z
        .int()
        .min(514)
        .max(2 ** 22)
        .default(2048)
        .describe('Vocabulary size of the tokenizer, which is trained on the titles'),
      tokenizer: z
        .string()
        .nullable()
        .default(null)
        .describe('Folder with a tokenizer.json to use instead of training one'),
      projection: z
        .int()
        .positive()
        .max(most.width)
        .default(128)
        .describe('Projection dimension: width of image and text vectors'),
    })
    .prefault({})
    .describe('Architecture of a model from scratch; ignored with `init`'),
  fusion: z
    .strictObject({
      width: z.int().positive().max(most.width).default(128).describe('Width of the content vector'),
      weight: z
        .number()
        .min(0)
        .default(0.5)
        .describe('Loss weight of the fusion head: the fused vector against one with a modality dropped'),
      dropText: z
        .number()
        .min(0)
        .max(1)
        .default(0.4)
        .describe('Modality dropout: share of rows without the title in the second view'),
      dropImage: z
        .number()
        .min(0)
        .max(1)
        .default(0.4)
        .describe('Modality dropout: share of rows without the picture in the second view'),
    })
    .prefault({}),
  loss: z
    .enum(contrastiveLosses.map(({ name }) => name))
    .nullable()
    .default(null)
    .describe(
      `Contrastive loss. ${contrastiveLosses.map(({ name, help }) => `${name}: ${help}`).join('; ')}; null: the loss of the checkpoint`,
    ),
  matryoshka: z
    .array(z.int().positive().max(most.width))
    .max(64)
    .default([])
    .describe(
      'Matryoshka dimensions, e.g. [32, 64]: prefixes that are trained like the whole vector, so that it can be cut there',
    ),
  augment: augmentation,
  train: z
    .strictObject({
      epochs: z
        .number()
        .min(0)
        .max(most.epochs)
        .default(30)
        .describe('Passes over the items; 0: no training, only evaluation'),
      batch: z
        .int()
        .min(2)
        .max(most.batch)
        .default(128)
        .describe('Batch size in pairs; each pair is a negative of all others'),
      ...rateOptions(5e-4, 0.1),
      ...optimizerOptions({ weightDecay: 0.05, clipNorm: 1, beta2: 0.98, epsilon: 1e-6 }),
      layerDecay: layerDecayOption,
      recompute: recomputeOption,
      microBatch: microBatchOption,
      patience: z
        .int()
        .min(0)
        .default(0)
        .describe('Early stopping: evaluations without improvement before training stops; 0 disables it'),
      ...loopOptions,
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      items: z.int().min(2).default(500).describe('Held-out items for evaluation; at most a fifth of all'),
      prompt: z
        .string()
        .includes('{}', { message: 'expected {} where the category goes' })
        .default('a photo of {}')
        .describe('Prompt of zero-shot classification; {} is replaced by the name of the category'),
    })
    .prefault({}),
  seed: seedOption,
  ...engineOptions,
  precision: precisionOption,
})

export type PretrainConfig = z.output<typeof pretrainConfig>
