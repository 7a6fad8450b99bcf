import { z } from 'zod'
import {
  dataOptions,
  engineOptions,
  layerDecayOption,
  loopOptions,
  optimizerOptions,
  rateOptions,
  seedOption,
  splitOption,
  table,
} from './common.js'
import { augmentation, itemColumns, pictureOptions } from './pretrain.js'

const behaviorColumns = z
  .strictObject({
    user: z.string().default('user_id'),
    item: z.string().default('item_id'),
    action: z.string().default('action'),
    time: z.string().default('ts'),
    request: z.string().default('request_id'),
    queryText: z.string().default('query_text'),
    queryImage: z.string().default('query_image'),
  })
  .prefault({})
  .describe('Names of the columns of the behaviours table; request and queries may be missing')

export const positiveSources = ['query-purchase', 'query-click', 'session'] as const

export const sftConfig = z.strictObject({
  data: z
    .strictObject({
      ...dataOptions,
      items: table('items', 'The catalogue'),
      behaviors: table('behaviors', 'What users chose'),
      columns: itemColumns,
      behaviorColumns,
      timeUnit: z.enum(['s', 'ms', 'us']).default('us').describe('Unit of times that are plain integers'),
      ...pictureOptions,
    })
    .prefault({}),
  init: z.string().default('runs/pretrain/checkpoint').describe('Checkpoint of stage 1, or any Hugging Face folder'),
  split: splitOption('behaviours', 'positives come from'),
  positives: z
    .strictObject({
      sources: z
        .array(z.enum(positiveSources))
        .min(1)
        .default(['query-purchase', 'query-click'])
        .describe('What counts as chosen'),
      purchaseWeight: z.number().positive().default(1).describe('Weight of a purchase in the loss'),
      clickWeight: z.number().positive().default(0.5).describe('Weight of a click, the weaker sign'),
      sessionMinutes: z
        .number()
        .positive()
        .default(30)
        .describe('Two choices of a user within this time make a session pair'),
      mixture: z
        .strictObject({
          image: z.number().min(0).default(12),
          text: z.number().min(0).default(3),
          product: z.number().min(0).default(2),
        })
        .prefault({})
        .describe('Shares of a batch by kind of anchor, among the kinds that the data has'),
    })
    .prefault({}),
  negatives: z
    .strictObject({
      queue: z.int().nonnegative().default(8192).describe('Item vectors of earlier steps kept as negatives; 0: none'),
      momentum: z.number().min(0).max(1).default(0.999).describe('Momentum of the encoder that fills the queue'),
      hard: z
        .int()
        .nonnegative()
        .default(32)
        .describe('Hard negatives of a step: shown in the same request and not taken, else of the same category'),
      logQ: z.boolean().default(true).describe('Correct logits for how often an item comes as a negative'),
    })
    .prefault({}),
  levels: z
    .strictObject({
      fused: z.number().min(0).default(1).describe('Weight of the loss between fused vectors'),
      image: z.number().min(0).default(0.5).describe('Weight between the pictures of anchor and item'),
      text: z.number().min(0).default(0.5).describe('Weight between the texts of anchor and item'),
      alignment: z
        .number()
        .min(0)
        .default(0.5)
        .describe('Weight of stage 1: picture and title of the same item, so that content is kept'),
    })
    .prefault({}),
  augment: augmentation,
  train: z
    .strictObject({
      epochs: z.number().positive().default(3).describe('Passes over the positives'),
      batch: z.int().min(4).default(128).describe('Positives of a step'),
      ...rateOptions(2e-4, 0.1),
      ...optimizerOptions({ weightDecay: 0.05, clipNorm: 1, beta2: 0.98, epsilon: 1e-6 }),
      layerDecay: layerDecayOption,
      patience: z.int().min(0).default(0).describe('Evaluations without a better one before training stops; 0: never'),
      ...loopOptions,
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      queries: z.int().positive().default(4000).describe('Events at most that each part is judged on'),
    })
    .prefault({}),
  seed: seedOption,
  ...engineOptions,
})

export type SftConfig = z.output<typeof sftConfig>
