import { z } from 'zod'
import { contrastiveLosses } from '../losses/index.js'
import {
  dataOptions,
  engineOptions,
  layerDecayOption,
  loopOptions,
  microBatchOption,
  optimizerOptions,
  precisionOption,
  rateOptions,
  recomputeOption,
  seedOption,
  table,
} from './common.js'

export const itemColumns = z
  .strictObject({
    id: z.string().default('item_id'),
    title: z
      .union([z.string(), z.array(z.string()).min(1)])
      .default('title')
      .describe('Or several, such as [title, category]: an item is then described by all of them, one after another'),
    image: z.string().default('image'),
    category: z.string().default('category'),
  })
  .prefault({})
  .describe('Names of the columns of the items table')

export const pictureLimits = {
  maxBadImages: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('Share of pictures that may be broken before the run stops'),
  maxImagePixels: z.int().positive().default(50_000_000).describe('A picture of more pixels counts as broken'),
  allowOutside: z
    .boolean()
    .default(false)
    .describe("Whether paths and links of pictures may lead out of the table's folder; else these count as broken"),
}

export const pictureOptions = {
  cache: z.string().default('runs/cache').describe('Folder that keeps decoded pictures; all runs may share it'),
  cacheLimit: z
    .number()
    .min(0)
    .default(100)
    .describe(
      'Gigabytes that it may take; what was not used for a day goes first; pictures that do not fit are decoded for ' +
        'each batch (train.workers), which is slow',
    ),
  ...pictureLimits,
}

export const augmentation = z
  .strictObject({
    crop: z.number().gt(0).max(1).default(0.6).describe('Smallest share of the area that a crop keeps; 1: no crops'),
    mirror: z.boolean().default(true).describe('Mirror half of the pictures'),
    tint: z.number().min(0).lt(1).default(0.1).describe('Largest change of the brightness of a channel, as a share'),
    dropWords: z.number().min(0).lt(1).default(0.1).describe('Share of the words of titles that are left out'),
  })
  .prefault({})
  .describe('How an item looks a little different at each step')

const frozen = z
  .union([z.enum(['none', 'all']), z.int().nonnegative()])
  .default('none')
  .describe('none, all, or how many blocks from below')

export const pretrainConfig = z.strictObject({
  data: z
    .strictObject({ ...dataOptions, items: table('items', 'The catalogue'), columns: itemColumns, ...pictureOptions })
    .prefault({}),
  init: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'Hugging Face folder to start from, or hf:owner/name[@revision] to fetch one; null: from scratch, by `model`',
    ),
  adapt: z
    .strictObject({
      imageSize: z
        .int()
        .positive()
        .nullable()
        .default(null)
        .describe('Pixels along a side; positions are interpolated'),
      projection: z
        .int()
        .positive()
        .nullable()
        .default(null)
        .describe('Width of image and text vectors; not of SigLIP'),
      textLength: z
        .int()
        .positive()
        .nullable()
        .default(null)
        .describe('Tokens of a title; short ones save time where the model pads to many; not of SigLIP'),
    })
    .prefault({})
    .describe('What becomes of the model that `init` names; null: stays as it is'),
  freeze: z
    .strictObject({ vision: frozen, text: frozen })
    .prefault({})
    .describe('Parts that are not trained (LiT): none, all of a tower, or its embeddings and first blocks'),
  model: z
    .strictObject({
      imageSize: z.int().positive().default(64).describe('Pixels along a side'),
      patch: z.int().positive().default(8).describe('Pixels along a side of a patch; must divide imageSize'),
      width: z.int().positive().default(128).describe('Width of both transformers'),
      layers: z.int().positive().default(4),
      heads: z.int().positive().default(4).describe('Attention heads; must divide width'),
      textLength: z.int().positive().default(16).describe('Tokens of a title; longer ones are cut'),
      vocabulary: z
        .int()
        .min(514)
        .default(2048)
        .describe('Tokens at most of the tokenizer that is trained on the titles'),
      tokenizer: z.string().nullable().default(null).describe('Folder with a tokenizer.json to use instead'),
      projection: z.int().positive().default(128).describe('Width of image and text vectors'),
    })
    .prefault({})
    .describe('Shape of a model from scratch; with `init` the checkpoint decides'),
  fusion: z
    .strictObject({
      width: z.int().positive().default(128).describe('Width of the content vector'),
      weight: z
        .number()
        .min(0)
        .default(0.5)
        .describe('Weight of the loss between the fused vector and one with a modality dropped'),
      dropText: z.number().min(0).max(1).default(0.4).describe('Share of rows whose second view lacks the title'),
      dropImage: z.number().min(0).max(1).default(0.4).describe('Share of rows whose second view lacks the picture'),
    })
    .prefault({}),
  loss: z
    .enum(contrastiveLosses.map(({ name }) => name))
    .nullable()
    .default(null)
    .describe(
      `Contrastive loss. ${contrastiveLosses.map(({ name, help }) => `${name}: ${help}`).join('; ')}; null: the loss that the model was trained with`,
    ),
  matryoshka: z
    .array(z.int().positive())
    .default([])
    .describe('Prefixes of vectors that must do as well as the whole, e.g. [32, 64]: vectors may then be cut there'),
  augment: augmentation,
  train: z
    .strictObject({
      epochs: z.number().min(0).default(30).describe('Passes over the items; 0: the checkpoint as it is, judged'),
      batch: z.int().min(2).default(128).describe('Pairs of a step; each is a negative of all others'),
      ...rateOptions(5e-4, 0.1),
      ...optimizerOptions({ weightDecay: 0.05, clipNorm: 1, beta2: 0.98, epsilon: 1e-6 }),
      layerDecay: layerDecayOption,
      recompute: recomputeOption,
      microBatch: microBatchOption,
      patience: z.int().min(0).default(0).describe('Evaluations without a better one before training stops; 0: never'),
      ...loopOptions,
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      items: z.int().min(2).default(500).describe('Items held out of training; at most a fifth of all'),
      prompt: z
        .string()
        .includes('{}', { message: 'expected {} where the category goes' })
        .default('a photo of {}')
        .describe('What a picture is compared with to tell its category; {} stands for the name of the category'),
    })
    .prefault({}),
  seed: seedOption,
  ...engineOptions,
  precision: precisionOption,
})

export type PretrainConfig = z.output<typeof pretrainConfig>
