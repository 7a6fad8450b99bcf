import { z } from 'zod'
import {
  dataOptions,
  engineOptions,
  loopOptions,
  optimizerOptions,
  rateOptions,
  seedOption,
  splitOption,
  table,
} from './common.js'

const columns = z
  .strictObject({
    user: z.string().default('user_id'),
    item: z.string().default('item_id'),
    label: z.string().default('label'),
    time: z.string().default('ts'),
    action: z.string().default('action').describe('Of the behaviours table'),
    history: z
      .string()
      .nullable()
      .default(null)
      .describe('Column of impressions that lists the history, oldest first; null: built from behaviours'),
  })
  .prefault({})
  .describe('Names of columns')

export const ctrConfig = z.strictObject({
  data: z
    .strictObject({
      ...dataOptions,
      impressions: table('impressions', 'What was shown, and whether it was clicked'),
      behaviors: table('behaviors', 'What histories are built from'),
      items: table('items', 'Side information of items'),
      embeddings: z
        .string()
        .nullable()
        .default(null)
        .describe('Table made by `mim embed`; needed by models with content'),
      contentType: z
        .enum(['float32', 'int8'])
        .default('float32')
        .describe('How content vectors are held in memory; int8 takes a quarter, with one scale for all'),
      columns,
      timeUnit: z.enum(['s', 'ms', 'us']).default('us').describe('Unit of times that are plain integers'),
    })
    .prefault({}),
  split: splitOption('impressions', 'train'),
  history: z
    .strictObject({
      actions: z.array(z.string()).min(1).default(['click']).describe('Actions that make the history'),
      length: z.int().positive().default(50).describe('Behaviours at most, the latest'),
    })
    .prefault({}),
  features: z
    .strictObject({
      user: z.boolean().default(true).describe('Whether the user id is a feature'),
      items: z.array(z.string()).default(['category']).describe('Columns of the items table, of target and history'),
      context: z.array(z.string()).default([]).describe('Columns of the impressions table'),
      minCount: z
        .int()
        .positive()
        .default(1)
        .describe('Occurrences in training impressions and their histories below which an id counts as unknown'),
    })
    .prefault({}),
  model: z
    .strictObject({
      name: z
        .enum(['din', 'content', 'ciubm'])
        .default('ciubm')
        .describe('din: ids only; content: vectors only; ciubm: both'),
      dim: z.int().positive().default(16).describe('Width of an id embedding'),
      attention: z.array(z.int().positive()).default([64]).describe('Hidden layers of the target attention over ids'),
      head: z.array(z.int().positive()).default([128, 64]).describe('Hidden layers of the head'),
      contentDim: z.int().positive().default(64).describe('Width that content vectors are projected to'),
      simTier: z.boolean().default(true).describe('Histogram of the similarities between target and history'),
      dropout: z.number().min(0).lt(1).default(0.2).describe('Share of hidden units of the head that rest in a step'),
    })
    .prefault({}),
  train: z
    .strictObject({
      epochs: z.number().positive().default(20),
      batch: z.int().positive().default(1024),
      ...rateOptions(1e-3, 0),
      tableL2: z.number().min(0).default(1e-3).describe('L2 penalty on the id embeddings that a step touches'),
      branchLoss: z
        .number()
        .min(0)
        .default(1)
        .describe('Weight of the losses of ids alone and content alone beside that of both together; ciubm only'),
      contentRate: z.number().positive().default(3).describe('Factor on the learning rate of the content branch'),
      tableRate: z.number().positive().default(1).describe('Factor on the learning rate of the id embeddings'),
      tableOptimizer: z
        .enum(['adam', 'adagrad', 'rowwise-adagrad'])
        .default('adam')
        .describe('For the id embeddings that a step touches; rowwise-adagrad keeps one number for each of them'),
      ...optimizerOptions({}),
      accumulate: z
        .int()
        .positive()
        .default(1)
        .describe('Parts in which a batch is worked through, to save memory; the step is that of the whole batch'),
      patience: z.int().min(0).default(4).describe('Evaluations without a better AUC before training stops; 0: never'),
      ...loopOptions,
    })
    .prefault({}),
  seed: seedOption,
  ...engineOptions,
})

export type CtrConfig = z.output<typeof ctrConfig>
