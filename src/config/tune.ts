import { z } from 'zod'
import { durationPattern } from '../base/duration.js'
import { seedOption } from './common.js'
import { overrides } from './grid.js'

const bounds = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high, 'expected [low, high]')

/** Where the values of an option lie. */
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
    .describe('Configuration of `mim ctr` that all trials start from: a file or a preset; null: its defaults'),
  set: overrides.describe('Options of `mim ctr` by path, for all trials'),
  ranges: z
    .record(z.string(), range)
    .default({ 'train.learningRate': { log: [1e-4, 1e-2] } })
    .describe(
      'Where to search, by path of an option of `mim ctr`: {uniform: [low, high]}, {log: [low, high]} for orders of ' +
        'magnitude, {int: [low, high]} both included, {choice: [...]}',
    ),
  metric: z
    .enum(['valid_auc', 'valid_gauc', 'valid_logloss'])
    .default('valid_auc')
    .describe('Of the validation period: what makes a trial better'),
  sampler: z
    .enum(['tpe', 'random'])
    .default('tpe')
    .describe('tpe: values near those of good trials and far from those of bad ones; random: anywhere'),
  startup: z.int().positive().default(8).describe('Trials drawn at random before tpe begins'),
  trials: z.int().positive().default(20).describe('Trials in all, those of earlier calls included'),
  time: z
    .string()
    .regex(durationPattern, 'expected a time such as 90s, 30m, 2h or 1h30m')
    .nullable()
    .default(null)
    .describe('Time from the start of the command after which no trial begins; null: no limit'),
  seed: seedOption,
})

export type TuneConfig = z.output<typeof tuneConfig>
