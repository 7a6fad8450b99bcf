import { z } from 'zod'
import { durationPattern } from '../base/duration.js'
import { seedOption } from './common.js'
import { overrides } from './grid.js'

/** Trials of a study; each is a run of minutes. */
const mostTrials = 100_000

const bounds = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high, 'expected [low, high]')

/** Search range of an option. */
const range = z.union([
  z.strictObject({ uniform: bounds }),
  z.strictObject({ log: bounds.refine(([low]) => low > 0, 'expected numbers above 0') }),
  z.strictObject({ int: bounds }),
  z.strictObject({ choice: z.array(z.unknown()).min(2) }),
])
export type Range = z.output<typeof range>

export const tuneConfig = z.strictObject({
  config: z
    .string()
    .nullable()
    .default(null)
    .describe('Base configuration of `mim ctr` for all trials: a file or a preset; null: the defaults'),
  set: overrides.describe('Options of `mim ctr` for all trials, by path'),
  ranges: z
    .record(z.string(), range)
    .default({ 'train.learningRate': { log: [1e-4, 1e-2] } })
    .describe(
      'Search ranges by path of an option of `mim ctr`: {uniform: [low, high]}, {log: [low, high]} (log-uniform), ' +
        '{int: [low, high]} (both included), {choice: [...]}',
    ),
  metric: z
    .enum(['valid_auc', 'valid_gauc', 'valid_logloss'])
    .default('valid_auc')
    .describe('Validation metric to optimize'),
  sampler: z
    .enum(['tpe', 'random'])
    .default('tpe')
    .describe('Sampler: tpe (tree-structured Parzen estimator) or random'),
  startup: z.int().positive().max(mostTrials).default(8).describe('Random trials before tpe starts'),
  trials: z
    .int()
    .positive()
    .max(mostTrials)
    .default(20)
    .describe('Total number of trials, those of earlier calls included'),
  time: z
    .string()
    .regex(durationPattern, 'expected a time such as 90s, 30m, 2h or 1h30m')
    .nullable()
    .default(null)
    .describe('Time after which no trial starts, counted from the start of the command; null: no limit'),
  seed: seedOption,
})

export type TuneConfig = z.output<typeof tuneConfig>
