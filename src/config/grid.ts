import { z } from 'zod'
import { seedOption } from './common.js'

export const overrides = z.record(z.string(), z.unknown()).default({})

export const gridConfig = z.strictObject({
  config: z
    .string()
    .nullable()
    .default(null)
    .describe('Configuration of `mim ctr` that all rows start from: a file or a preset; null: its defaults'),
  set: overrides.describe('Options of `mim ctr` by path, for all rows'),
  seeds: z.array(seedOption).min(1).default([1]).describe('Each row is trained once for each seed'),
  vectors: z
    .record(z.string(), z.union([z.string(), z.array(z.string()).min(1)]))
    .default({})
    .describe(
      'Content vectors by name: a table made by `mim embed`, or several side by side; {seed} in a path stands for the seed',
    ),
  base: z
    .string()
    .nullable()
    .default(null)
    .describe('Name of the row that the others are compared with; null: the first'),
  rows: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        vectors: z.array(z.string()).default([]),
        set: overrides,
      }),
    )
    .min(1)
    .default([{ name: 'CiUBM', vectors: [], set: {} }])
    .describe('name; set: options of `mim ctr` by path; vectors: names of content vectors, each of which makes a row'),
})

export type GridConfig = z.output<typeof gridConfig>
