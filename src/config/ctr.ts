import { z } from 'zod'
import { behaviorFeature, feature } from '../data/clicks/featureSpec.js'
import { modelNames, searchKinds } from '../models/ctr/config.js'
import { activationNames } from '../nn/norm.js'
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
    user: z.string().nullable().default('user_id').describe('null: each impression is of a user of its own'),
    item: z.string().default('item_id'),
    label: z.string().default('label'),
    weight: z
      .string()
      .nullable()
      .default(null)
      .describe('How much an impression counts in training, from 0 on; only ratios matter; null: all alike'),
    time: z
      .string()
      .nullable()
      .default('ts')
      .describe('null: impressions lie in the order of time; histories are then a column'),
    action: z.string().default('action').describe('Of the behaviors table'),
    history: z
      .string()
      .nullable()
      .default(null)
      .describe('Column of impressions that lists the history, oldest first; null: built from behaviors'),
    embeddingItem: z.string().default('item_id').describe('Of the embeddings table'),
    embedding: z.string().default('embedding').describe('Vectors of the embeddings table'),
  })
  .prefault({})
  .describe('Names of columns')

export const ctrConfig = z.strictObject({
  data: z
    .strictObject({
      ...dataOptions,
      impressions: z
        .union([z.string(), z.strictObject({ train: z.string(), valid: z.string(), test: z.string() })])
        .default('impressions.parquet')
        .describe('What was shown, and whether it was clicked; or a table each for train, valid and test'),
      behaviors: table('behaviors', 'What histories are built from'),
      items: table('items', 'Side information of items'),
      embeddings: z
        .union([z.string(), z.array(z.string()).min(1)])
        .nullable()
        .default(null)
        .describe(
          'Folder that `mim embed` published, where vectors are looked up, or Parquet; needed by models with content. ' +
            'Of several, such as those of stage 1 and of C-SFT, the vectors of an item stand side by side',
        ),
      contentType: z
        .enum(['float32', 'int8'])
        .default('float32')
        .describe('How content vectors are held in memory; int8 takes a quarter, with one scale for all'),
      embeddingScale: z
        .number()
        .positive()
        .default(1)
        .describe(
          'What stored vectors are multiplied by, e.g. 0.007874 where they are int8 of scale 1/127; 1: what their table says',
        ),
      normalize: z.boolean().default(false).describe('Scale content vectors to length 1; those of `mim embed` have it'),
      whiten: z
        .int()
        .min(0)
        .default(0)
        .describe(
          'Numbers to which content vectors are whitened (centered, made uncorrelated, the first directions kept), by the items of the training period; 0: as they are',
        ),
      whitenPower: z
        .number()
        .min(0)
        .max(1)
        .default(1)
        .describe(
          'Power of the deviation along a direction by which whitening divides; 1: all directions count alike; ' +
            'below: the strong ones for more; 0: as much as before',
        ),
      columns,
      timeUnit: z.enum(['s', 'ms', 'us']).default('us').describe('Unit of times that are plain integers'),
      leaks: z
        .enum(['warn', 'stop', 'ignore'])
        .default('warn')
        .describe(
          'What to do where features give the label away, histories hold it, or ids number rows; --strict: stop',
        ),
      memory: z
        .string()
        .regex(/^\d+(\.\d+)?\s?[KMGT]i?B$/i, 'expected a size such as 2GB')
        .default('2GB')
        .describe(
          'Memory for sorting and joining tables, and for impressions and behaviors as numbers; what needs more goes ' +
            'through files in the run folder',
        ),
    })
    .prefault({}),
  split: splitOption('impressions', 'train').describe('By time; not used where impressions are a table for each part'),
  history: z
    .strictObject({
      actions: z.array(z.string()).min(1).default(['click']).describe('Actions that make the history'),
      length: z.int().positive().default(50).describe('Behaviors at most, the latest'),
      padding: z
        .union([z.string(), z.int()])
        .nullable()
        .default(null)
        .describe('Id that fills up listed histories and is no item; null: there is none'),
    })
    .prefault({}),
  features: z
    .strictObject({
      user: z.boolean().default(true).describe('Whether the user id is a feature'),
      items: z
        .array(feature)
        .prefault(['category'])
        .describe(
          'Columns of the items table, of target and history: names, or {column, kind: category | list | hash | number | bucket, …}',
        ),
      context: z.array(feature).default([]).describe('Columns of the impressions table, given as those of items'),
      history: z
        .array(behaviorFeature)
        .default([])
        .describe('What else is known of a behavior: {kind: category, column, target} or {kind: gap}'),
      minCount: z
        .int()
        .positive()
        .default(1)
        .describe('Occurrences in training impressions and their histories below which an id counts as unknown'),
      idRows: z
        .int()
        .min(3)
        .nullable()
        .default(null)
        .describe('Rows of the tables of items and of users, to which ids are hashed; null: one for each known id'),
    })
    .prefault({}),
  model: z
    .strictObject({
      name: z
        .enum(modelNames)
        .default('ciubm')
        .describe(
          'din: ids only; sim-hard, sim-soft: ids of the behaviors that a search finds; content: vectors only; ' +
            'concat: vectors beside the ids in one network; ciubm: a branch of each',
        ),
      dim: z.int().positive().default(16).describe('Width of an id embedding'),
      attention: z.array(z.int().positive()).default([64]).describe('Hidden layers of the target attention over ids'),
      head: z.array(z.int().positive()).default([128, 64]).describe('Hidden layers of the head'),
      contentDim: z.int().positive().default(64).describe('Width that content vectors are projected to'),
      simTier: z.boolean().default(true).describe('Histogram of the similarities between target and history'),
      saTa: z
        .boolean()
        .default(false)
        .describe('SA-TA: similarities correct the attention over ids by learned factors; ciubm only'),
      cube: z
        .boolean()
        .default(false)
        .describe('CUBE: sums of ids and of vectors under the softmax of the similarities; content and ciubm only'),
      gate: z
        .boolean()
        .default(false)
        .describe('A network of both interests and the item frequency mixes the branches, not one share; ciubm only'),
      defaults: z
        .boolean()
        .default(false)
        .describe('Learned stand-ins for a missing vector of the target and for the interest of an empty history'),
      heads: z.int().positive().default(2).describe('Heads of the attention of sim-hard and sim-soft, dim wide each'),
      behaviorSearch: z
        .strictObject({
          kind: z
            .enum(searchKinds)
            .default('none')
            .describe('hard: behaviors like the target in a feature, the latest; soft: nearest by content vectors'),
          topK: z.int().positive().default(50).describe('Behaviors that the search leaves at most'),
          feature: z.string().default('category').describe('Feature of features.items that a hard search compares'),
        })
        .prefault({})
        .describe('Search of the behaviors that a model sees; sim-hard is always hard, sim-soft soft'),
      activation: z.enum(activationNames).default('relu').describe('Of the hidden layers of the head'),
      batchNorm: z.boolean().default(false).describe('Batch normalization in the hidden layers of the head'),
      cross: z.int().min(0).default(0).describe('Layers of a cross network (DCN V2) before the hidden layers'),
      dropout: z.number().min(0).lt(1).default(0.2).describe('Share of hidden units of the head that rest in a step'),
    })
    .prefault({}),
  train: z
    .strictObject({
      epochs: z.number().positive().default(20),
      batch: z.int().positive().default(1024),
      negatives: z
        .number()
        .gt(0)
        .max(1)
        .default(1)
        .describe('Share of the impressions without a click that training keeps; predictions are corrected for it'),
      ...rateOptions(1e-3, 0),
      tableL2: z
        .number()
        .min(0)
        .default(1e-5)
        .describe(
          'L2 penalty on the id embeddings that a step touches, once each however often, so that it weighs more where ' +
            'ids are many: 1e-2 serves some thousands of items, and leaves nothing to learn of hundreds of thousands',
        ),
      branchLoss: z
        .number()
        .min(0)
        .default(1)
        .describe('Weight of the losses of ids alone and content alone beside that of both together; ciubm only'),
      makeEpochs: z
        .number()
        .min(0)
        .default(0)
        .describe('Epochs, before the others, in which the content branch learns alone (MAKE); ciubm only'),
      unknownShare: z
        .number()
        .min(0)
        .lt(1)
        .default(0)
        .describe('Share of ids that a step takes for unknown, so that what was never seen has a learned embedding'),
      contentRate: z.number().positive().default(3).describe('Factor on the learning rate of the content branch'),
      tableRate: z.number().positive().default(1).describe('Factor on the learning rate of the id embeddings'),
      tableOptimizer: z
        .enum(['adam', 'adagrad', 'rowwise-adagrad'])
        .default('adam')
        .describe('For the id embeddings that a step touches; rowwise-adagrad keeps one number for each of them'),
      ...optimizerOptions({}),
      buffer: z
        .int()
        .positive()
        .default(2 ** 20)
        .describe(
          'Impressions that are shuffled together, stretches from the whole period, where they are read from files ' +
            'for want of data.memory; else all are',
        ),
      accumulate: z
        .int()
        .positive()
        .default(1)
        .describe('Parts in which a batch is worked through, to save memory; the step is that of the whole batch'),
      patience: z.int().min(0).default(4).describe('Evaluations without a better AUC before training stops; 0: never'),
      ...loopOptions,
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      resamples: z
        .int()
        .min(0)
        .default(200)
        .describe('Resamples of the users behind the 95 % intervals of AUC and GAUC on the test; 0: no intervals'),
    })
    .prefault({}),
  seed: seedOption,
  ...engineOptions,
})

export type CtrConfig = z.output<typeof ctrConfig>
