import { z } from 'zod'
import { behaviorFeature, feature } from '../data/clicks/featureSpec.js'
import { modelDescriptions, modelNames, searchKinds } from '../models/ctr/index.js'
import { activationNames } from '../nn/norm.js'
import {
  dataOptions,
  engineOptions,
  loopOptions,
  memoryLimit,
  minCoverageOption,
  most,
  optimizerOptions,
  rateOptions,
  seedOption,
  splitOption,
  table,
  timeUnit,
  timeZone,
} from './common.js'

const columns = z
  .strictObject({
    user: z.string().nullable().default('user_id').describe('User id; null: every impression has a user of its own'),
    item: z.string().default('item_id').describe('Item id'),
    label: z.string().default('label').describe('1 for a click, 0 for none'),
    weight: z
      .string()
      .nullable()
      .default(null)
      .describe('Training weight of the impression, at least 0; only ratios matter; null: equal weights'),
    time: z
      .string()
      .nullable()
      .default('ts')
      .describe('Time; null: impressions are sorted by time already; histories must then be a column'),
    action: z.string().default('action').describe('Action, in the behaviors table'),
    history: z
      .string()
      .nullable()
      .default(null)
      .describe('List of the items in the history, oldest first, in the impressions table; null: built from behaviors'),
    embeddingItem: z.string().default('item_id').describe('Item id in the embeddings table'),
    embedding: z.string().default('embedding').describe('Content vector in the embeddings table'),
  })
  .prefault({})
  .describe('Column names')

export const ctrConfig = z.strictObject({
  data: z
    .strictObject({
      ...dataOptions,
      impressions: z
        .union([z.string(), z.strictObject({ train: z.string(), valid: z.string(), test: z.string() })])
        .default('impressions.parquet')
        .describe('Impressions table: items shown, with click labels; or one table each for train, valid and test'),
      behaviors: table('behaviors', 'Behaviors table, from which histories are built'),
      items: table('items', 'Items table, with the columns of features.items'),
      embeddings: z
        .union([z.string(), z.array(z.string()).min(1)])
        .nullable()
        .default(null)
        .describe(
          'Content vectors: a folder published by `mim embed`, or a Parquet table; required by models with content. ' +
            'With several, e.g. of pretrain and of sft, the vectors of an item are concatenated. A relative path starts ' +
            'from the working folder',
        ),
      contentType: z
        .enum(['float32', 'int8'])
        .default('float32')
        .describe(
          'Number type of content vectors in memory; int8 takes a quarter of the memory, with one scale for all vectors',
        ),
      embeddingScale: z
        .number()
        .positive()
        .default(1)
        .describe(
          'Factor on stored vectors, e.g. 0.007874 for int8 with scale 1/127; 1: no factor; int8 tables use the scale stored with them',
        ),
      normalize: z
        .boolean()
        .default(false)
        .describe('Normalize content vectors to length 1; those of `mim embed` are normalized'),
      whiten: z
        .int()
        .min(0)
        .max(most.width)
        .default(0)
        .describe(
          'Whitening dimensions: content vectors are centered and decorrelated by the items of the training part, and ' +
            'the directions of most variance are kept; 0 disables whitening',
        ),
      whitenPower: z
        .number()
        .min(0)
        .max(1)
        .default(1)
        .describe(
          'Whitening strength: each direction is divided by this power of its standard deviation; 1: equal variance in ' +
            'all directions; lower: strong directions keep more; 0: variances are kept',
        ),
      columns,
      timeUnit: z
        .union([timeUnit, z.strictObject({ impressions: timeUnit, behaviors: timeUnit })])
        .default('auto')
        .describe(
          'Unit of times that are numbers since 1970: auto | s | ms | us | ns, or {impressions, behaviors}; auto: ' +
            'inferred for each table from the magnitude; implausible years then stop the run',
        ),
      timeZone,
      minCoverage: minCoverageOption,
      leaks: z
        .enum(['warn', 'stop', 'ignore'])
        .default('warn')
        .describe(
          'Label leakage check: features or histories that reveal the label, ids that number rows; --strict: stop',
        ),
      memory: memoryLimit
        .default('2GB')
        .describe(
          'Memory limit for sorting and joining tables, and for the columns of impressions and behaviors; larger data ' +
            'goes through files in the run folder',
        ),
    })
    .prefault({}),
  split: splitOption('impressions', 'train').describe(
    'Split by time; not used if impressions are one table for each part',
  ),
  history: z
    .strictObject({
      actions: z
        .array(z.string())
        .min(1)
        .default(['click'])
        .describe('Actions of the behaviors that make up the history'),
      length: z
        .int()
        .positive()
        .max(most.history)
        .default(50)
        .describe('History length: the latest behaviors are kept'),
      padding: z
        .union([z.string(), z.int()])
        .nullable()
        .default(null)
        .describe('Padding id in listed histories, not an item; null: no padding'),
    })
    .prefault({}),
  features: z
    .strictObject({
      user: z.boolean().default(true).describe('Use the user id as a feature'),
      items: z
        .array(feature)
        .prefault(['category'])
        .describe(
          'Item features, of target and history: columns of the items table, as names or ' +
            '{column, kind: category | list | hash | number | bucket, …}',
        ),
      context: z
        .array(feature)
        .default([])
        .describe('Context features: columns of the impressions table, written like features.items'),
      history: z
        .array(behaviorFeature)
        .default([])
        .describe('Behavior features: {kind: category, column, target} or {kind: gap}'),
      minCount: z
        .int()
        .positive()
        .default(1)
        .describe(
          'Minimum number of occurrences in training impressions and their histories; rarer ids count as unknown',
        ),
      idRows: z
        .int()
        .min(3)
        .max(most.rows)
        .nullable()
        .default(null)
        .describe(
          'Hash table size: ids of items and of users are hashed to this many rows; null: one row per known id',
        ),
    })
    .prefault({}),
  model: z
    .strictObject({
      name: z.enum(modelNames).default('ciubm').describe(`Model. ${modelDescriptions}`),
      dim: z.int().positive().max(most.width).default(16).describe('Embedding size of ids'),
      attention: z
        .array(z.int().positive().max(most.width))
        .max(most.hidden)
        .default([64])
        .describe('Hidden layer sizes of the target attention over ids'),
      head: z
        .array(z.int().positive().max(most.width))
        .max(most.hidden)
        .default([128, 64])
        .describe('Hidden layer sizes of the head (MLP)'),
      contentDim: z.int().positive().max(most.width).default(64).describe('Projection size of content vectors'),
      simTier: z
        .boolean()
        .default(true)
        .describe('SimTier: histogram of the content similarities between target and history'),
      saTa: z
        .boolean()
        .default(false)
        .describe('SA-TA: content similarities adjust the attention over ids by learned factors; ciubm only'),
      cube: z
        .boolean()
        .default(false)
        .describe(
          'CUBE: id and content embeddings of the history, pooled by a softmax over similarities; content and ciubm only',
        ),
      gate: z
        .boolean()
        .default(false)
        .describe(
          'Gate network on both interests and the item frequency mixes the branches, instead of one weight; ciubm only',
        ),
      defaults: z
        .boolean()
        .default(false)
        .describe('Learned default embeddings for a target without a vector and for an empty history'),
      heads: z
        .int()
        .positive()
        .max(most.layers)
        .default(2)
        .describe('Attention heads of sim-hard and sim-soft, each of size dim'),
      behaviorSearch: z
        .strictObject({
          kind: z
            .enum(searchKinds)
            .default('none')
            .describe(
              'hard: latest behaviors with the same feature value as the target; soft: nearest by content vectors',
            ),
          topK: z
            .int()
            .positive()
            .max(most.history)
            .default(50)
            .describe('Maximum number of behaviors that the search keeps'),
          feature: z
            .string()
            .default('category')
            .describe('Feature that a hard search compares: of items, or of behaviors with a target'),
        })
        .prefault({})
        .describe('Search for the behaviors that a model reads; sim-hard is always hard, sim-soft always soft'),
      activation: z.enum(activationNames).default('relu').describe('Activation of the hidden layers of the head'),
      batchNorm: z.boolean().default(false).describe('Batch normalization in the hidden layers of the head'),
      cross: z
        .int()
        .min(0)
        .max(most.hidden)
        .default(0)
        .describe('Cross network (DCN V2) layers before the hidden layers of the head; 0: none'),
      dropout: z.number().min(0).lt(1).default(0.2).describe('Dropout rate of the hidden layers of the head'),
    })
    .prefault({}),
  train: z
    .strictObject({
      epochs: z.number().positive().max(most.epochs).default(20).describe('Passes over the training part'),
      batch: z.int().positive().max(most.batch).default(1024).describe('Batch size: impressions per step'),
      negatives: z
        .number()
        .gt(0)
        .max(1)
        .default(1)
        .describe(
          'Negative sampling rate: share of impressions without a click kept in training; predictions are corrected for it',
        ),
      ...rateOptions(1e-3, 0),
      tableL2: z
        .number()
        .min(0)
        .default(1e-5)
        .describe(
          'L2 penalty on the embedding rows in a batch, once per row. Its effect grows with the number of ids: ' +
            '1e-2 suits thousands of items but prevents learning with hundreds of thousands',
        ),
      branchLoss: z
        .number()
        .min(0)
        .default(1)
        .describe(
          'Weight of the auxiliary losses of each branch, ids and content; the joint loss has weight 1; ciubm only',
        ),
      makeEpochs: z
        .number()
        .min(0)
        .max(most.epochs)
        .default(0)
        .describe('Epochs of training the content branch alone, before the others (MAKE); ciubm only'),
      unknownShare: z
        .number()
        .min(0)
        .lt(1)
        .default(0)
        .describe('Share of ids replaced by "unknown" in training, so that unseen ids get a trained embedding'),
      contentRate: z.number().positive().default(3).describe('Learning rate factor of the content branch'),
      tableRate: z.number().positive().default(1).describe('Learning rate factor of the embedding tables'),
      tableOptimizer: z
        .enum(['adam', 'adagrad', 'rowwise-adagrad'])
        .default('adam')
        .describe(
          'Optimizer of the embedding tables, for the rows in a batch; rowwise-adagrad keeps one number per row',
        ),
      ...optimizerOptions({}),
      buffer: z
        .int()
        .positive()
        .max(most.rows)
        .default(2 ** 20)
        .describe(
          'Shuffle buffer, in impressions, if data larger than data.memory is read from files; filled with ranges from ' +
            'the whole training part. In memory all impressions are shuffled together',
        ),
      accumulate: z
        .int()
        .positive()
        .max(most.batch)
        .default(1)
        .describe(
          'Gradient accumulation: parts of a batch, to save memory; the step is the same as for the whole batch',
        ),
      patience: z
        .int()
        .min(0)
        .default(4)
        .describe('Early stopping: evaluations without improvement of train.monitor before training stops; 0: never'),
      ...loopOptions,
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      resamples: z
        .int()
        .min(0)
        .max(1e6)
        .default(200)
        .describe('Bootstrap resamples of users for the 95 % intervals of the test AUC and GAUC; 0: no intervals'),
    })
    .prefault({}),
  seed: seedOption,
  ...engineOptions,
})

export type CtrConfig = z.output<typeof ctrConfig>
