import { z } from 'zod'
import { positiveSources, type SourceOptions, sourceNames } from '../data/choices/sources/index.js'
import type { SourceOption } from '../data/choices/sources/source.js'
import { lossTerms, type TermName } from '../models/sft/terms/index.js'
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
  .describe('Names of the columns of the behaviors table; request and queries may be missing')

/** Options of the sources of positives, by name. */
const sourceOptions = Object.fromEntries(
  positiveSources.flatMap(({ options }) =>
    Object.entries<SourceOption>(options).map(([name, option]) => {
      const number: z.ZodNumber = option.integer ? z.int() : z.number()
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
      behaviors: table('behaviors', 'What users chose'),
      columns: itemColumns,
      behaviorColumns,
      timeUnit: z.enum(['s', 'ms', 'us']).default('us').describe('Unit of times that are plain integers'),
      ...pictureOptions,
      memory: z
        .string()
        .regex(/^\d+(\.\d+)?\s?[KMGT]i?B$/i, 'expected a size such as 1GB')
        .default('1GB')
        .describe('Memory for sorting and joining tables; what needs more goes through files in the run folder'),
    })
    .prefault({}),
  init: z
    .string()
    .default('runs/pretrain/checkpoint')
    .describe(
      'Checkpoint of stage 1, any Hugging Face folder, or hf:owner/name[@revision] to fetch one; {seed} in it stands for ' +
        'the seed',
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
      momentum: z
        .number()
        .min(0)
        .max(1)
        .default(0.999)
        .describe('Momentum of the encoder that fills the queue; at step t it is at most (1 + t) / (10 + t)'),
      maxAgeSteps: z
        .int()
        .nonnegative()
        .default(0)
        .describe('Steps after which a queued vector is no negative; 0: never'),
      maxAgeDays: z
        .number()
        .nonnegative()
        .default(0)
        .describe('Days in the log that may lie between an event and that of a queued negative; 0: any number'),
      hard: z
        .int()
        .nonnegative()
        .default(32)
        .describe('Hard negatives of a step: shown in the same request and not taken, else of the same category'),
      mineEvery: z
        .int()
        .nonnegative()
        .default(0)
        .describe('Steps after which hard negatives are looked for anew by the current vectors; 0: none are'),
      mineDepth: z
        .int()
        .positive()
        .default(30)
        .describe('Nearest neighbors of the chosen item that mined negatives are drawn from'),
      mineAmong: z.int().min(2).default(5000).describe('Items at most, drawn anew each time, that are searched'),
      denominator: z
        .enum(['shared', 'separate'])
        .default('shared')
        .describe('Whether batch, hard and queue are held against a choice together, or each in a loss of its own'),
      logQ: z.boolean().default(true).describe('Correct logits for how often an item comes as a negative'),
    })
    .prefault({}),
  levels: z
    .strictObject({
      ...levelWeights,
      matryoshka: z
        .array(z.int().positive())
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
      initial: z.number().positive().default(0.1).describe('What cosines between anchors and items are divided by'),
      lowest: z.number().positive().default(0.01).describe('It is never below this'),
      rateFactor: z
        .number()
        .min(0)
        .default(50)
        .describe('Factor on its learning rate, for it has a long way to go in few steps; 0: it stays as it is'),
    })
    .refine(({ initial, lowest }) => initial >= lowest, 'expected initial at or above lowest')
    .prefault({}),
  augment: augmentation,
  train: z
    .strictObject({
      epochs: z.number().positive().default(3).describe('Passes over the positives'),
      batch: z.int().min(4).default(128).describe('Positives of a step'),
      ...rateOptions(2e-4, 0.1),
      ...optimizerOptions({ weightDecay: 0.05, clipNorm: 1, beta2: 0.98, epsilon: 1e-6 }),
      layerDecay: layerDecayOption,
      microBatch: microBatchOption,
      recompute: recomputeOption,
      patience: z.int().min(0).default(0).describe('Evaluations without a better one before training stops; 0: never'),
      ...loopOptions,
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      queries: z.int().positive().default(4000).describe('Events at most that each part is judged on'),
      retention: z
        .number()
        .min(0)
        .max(1)
        .default(0.5)
        .describe("Share of stage 1's title → picture recall@10 below which a warning is given"),
    })
    .prefault({}),
  seed: seedOption,
  ...engineOptions,
  precision: precisionOption,
})

export type SftConfig = z.output<typeof sftConfig>
