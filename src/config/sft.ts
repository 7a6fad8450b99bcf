import { z } from 'zod'
import { positiveSources, type SourceOptions, sourceNames } from '../data/choices/sources/index.js'
import type { SourceOption } from '../data/choices/sources/source.js'
import { usualBehaviorColumns } from '../data/usualColumns.js'
import { lossTerms, type TermName } from '../models/sft/terms/index.js'
import {
  dataOptions,
  engineOptions,
  layerDecayOption,
  loopOptions,
  memoryLimit,
  microBatchOption,
  minCoverageOption,
  most,
  optimizerOptions,
  precisionOption,
  rateOptions,
  recomputeOption,
  seedOption,
  splitOption,
  table,
  timeUnit,
  timeZone,
} from './common.js'
import { augmentation, itemColumns, pictureOptions } from './pretrain.js'

const behaviorColumns = z
  .strictObject({
    user: z.string().default('user_id').describe('User id'),
    item: z.string().default('item_id').describe('Item id'),
    action: z.string().default('action').describe('click, favorite, cart, purchase or expose'),
    time: z.string().default('ts').describe('Time: timestamp, date, number in data.timeUnit, or ISO 8601 text'),
    request: z.string().default(usualBehaviorColumns.request).describe('Request that the behavior belongs to'),
    queryText: z.string().default(usualBehaviorColumns.queryText).describe('Text query'),
    queryImage: z.string().default(usualBehaviorColumns.queryImage).describe('Picture query'),
  })
  .prefault({})
  .describe(
    'Column names of the behaviors table; requests and queries may be missing under their default names, other names must exist',
  )

/** Options of the sources of positives, by name. */
const sourceOptions = Object.fromEntries(
  positiveSources.flatMap(({ options }) =>
    Object.entries<SourceOption>(options).map(([name, option]) => {
      const number: z.ZodNumber = option.integer ? z.int().max(most.history) : z.number()
      return [name, number.positive().default(option.default).describe(option.help)]
    }),
  ),
) as Record<keyof SourceOptions, z.ZodDefault<z.ZodNumber>>

/** Weights of the terms of the loss, by name. */
const levelWeights = Object.fromEntries(
  lossTerms.map((term) => [term.name, z.number().min(0).default(term.default).describe(term.help)]),
) as Record<TermName, z.ZodDefault<z.ZodNumber>>

const supervising = lossTerms.filter(({ supervises }) => supervises).map(({ name }) => name)

export const sftConfig = z.strictObject({
  data: z
    .strictObject({
      ...dataOptions,
      items: table('items', 'The catalogue'),
      behaviors: table('behaviors', 'The behavior log'),
      columns: itemColumns,
      behaviorColumns,
      timeUnit,
      timeZone,
      minCoverage: minCoverageOption,
      ...pictureOptions,
      memory: memoryLimit
        .default('1GB')
        .describe('Memory limit for sorting and joining tables; larger data spill to files in the run folder'),
    })
    .prefault({}),
  init: z
    .string()
    .default('runs/pretrain/checkpoint')
    .describe(
      'Initial checkpoint: the output of stage 1, a Hugging Face folder, or hf:owner/name[@revision] to download; {seed} is ' +
        'replaced by the seed',
    ),
  split: splitOption('behaviors', 'positives come from'),
  positives: z
    .strictObject({
      sources: z
        .array(z.enum(sourceNames))
        .min(1)
        .default(['query-purchase', 'query-click'])
        .describe(
          `Sources of positive pairs (query, target). ${positiveSources.map(({ name, help }) => `${name}: ${help}`).join('. ')}`,
        ),
      ...sourceOptions,
      sessionMinutes: z
        .number()
        .positive()
        .default(30)
        .describe('A longer pause, in minutes, ends a session of a user'),
      mixture: z
        .strictObject({
          image: z.number().min(0).default(12).describe('Picture queries'),
          text: z.number().min(0).default(3).describe('Text queries'),
          product: z.number().min(0).default(2).describe('Queries that are items'),
        })
        .prefault({})
        .describe('Shares of a batch by kind of query (picture, text, or item), among the kinds that the data has'),
    })
    .prefault({}),
  negatives: z
    .strictObject({
      queue: z
        .int()
        .nonnegative()
        .max(2 ** 28)
        .default(8192)
        .describe('Queue size: item vectors of earlier steps that serve as negatives; 0: no queue'),
      momentum: z
        .number()
        .min(0)
        .max(1)
        .default(0.999)
        .describe('Momentum of the encoder that fills the queue (MoCo); at step t at most (1 + t) / (10 + t)'),
      maxAgeSteps: z.int().nonnegative().default(0).describe('Largest age of a queued negative in steps; 0: no limit'),
      maxAgeDays: z
        .number()
        .nonnegative()
        .default(0)
        .describe('Largest distance in days between a positive and a queued negative in the log; 0: no limit'),
      hard: z
        .int()
        .nonnegative()
        .max(most.batch)
        .default(32)
        .describe(
          'Hard negatives per step: items shown in the same request and not taken, else items of the same category',
        ),
      mineEvery: z
        .int()
        .nonnegative()
        .default(0)
        .describe('Steps between two minings of hard negatives by the current vectors; 0: no mining'),
      mineDepth: z
        .int()
        .positive()
        .max(2 ** 20)
        .default(30)
        .describe('Number of nearest neighbors of the target that mined negatives are drawn from'),
      mineAmong: z
        .int()
        .min(2)
        .default(5000)
        .describe('Number of items, drawn at each mining, that are searched for neighbors'),
      denominator: z
        .enum(['shared', 'separate'])
        .default('shared')
        .describe(
          'shared: one softmax over batch, hard and queued negatives; separate: one loss for each of the three',
        ),
      logQ: z
        .boolean()
        .default(true)
        .describe(
          'logQ correction: subtract the log frequency of an item from its logit as an in-batch or queued negative',
        ),
    })
    .prefault({}),
  levels: z
    .strictObject({
      ...levelWeights,
      matryoshka: z
        .array(z.int().positive().max(most.width))
        .max(64)
        .default([])
        .describe(
          'Matryoshka: lengths of prefixes of the content vector that are trained like the whole, e.g. [32, 64]',
        ),
    })
    .refine(
      (levels) => supervising.some((name) => levels[name] > 0),
      `expected one of ${supervising.join(', ')} above 0`,
    )
    .prefault({}),
  temperature: z
    .strictObject({
      initial: z
        .number()
        .positive()
        .default(0.1)
        .describe('Initial temperature: cosines between queries and items are divided by it'),
      lowest: z.number().positive().default(0.01).describe('Lower bound of the learned temperature'),
      rateFactor: z
        .number()
        .min(0)
        .default(50)
        .describe(
          'Factor on the learning rate of the temperature, which must change a lot in few steps; 0: constant temperature',
        ),
    })
    .refine(({ initial, lowest }) => initial >= lowest, 'expected initial at or above lowest')
    .prefault({}),
  augment: augmentation,
  train: z
    .strictObject({
      epochs: z.number().positive().max(most.epochs).default(3).describe('Passes over the training pairs'),
      batch: z.int().min(4).max(most.batch).default(128).describe('Pairs per step'),
      ...rateOptions(2e-4, 0.1),
      ...optimizerOptions({ weightDecay: 0.05, clipNorm: 1, beta2: 0.98, epsilon: 1e-6 }),
      layerDecay: layerDecayOption,
      microBatch: microBatchOption,
      recompute: recomputeOption,
      patience: z
        .int()
        .min(0)
        .default(0)
        .describe('Early stopping: evaluations without improvement before training stops; 0: never'),
      ...loopOptions,
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      queries: z.int().positive().default(4000).describe('Largest number of pairs in an evaluation'),
      retention: z
        .number()
        .min(0)
        .max(1)
        .default(0.5)
        .describe('Warn if title → picture recall@10 falls below this share of its value before training'),
    })
    .prefault({}),
  seed: seedOption,
  ...engineOptions,
  precision: precisionOption,
})

export type SftConfig = z.output<typeof sftConfig>
