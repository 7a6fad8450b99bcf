import { z } from 'zod'
import { seedOption } from './common.js'

export const overrides = z.record(z.string(), z.unknown()).default({})

export const gridConfig = z.strictObject({
  config: z
    .string()
    .nullable()
    .default(null)
    .describe('Base configuration of `mim ctr` for all rows: a file or a preset; null: the defaults'),
  set: overrides.describe('Options of `mim ctr` for all rows, by path'),
  seeds: z.array(seedOption).min(1).max(1000).default([1]).describe('Random seeds; each row is trained once per seed'),
  vectors: z
    .record(z.string(), z.union([z.string(), z.array(z.string()).min(1)]))
    .default({})
    .describe(
      'Content vectors by name: a table of `mim embed`, or a list of tables; {seed} in a path is replaced by the seed',
    ),
  base: z
    .string()
    .nullable()
    .default(null)
    .describe('Name of the row that the others are compared with; null: the first row'),
  rows: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        vectors: z.array(z.string()).default([]),
        set: overrides,
      }),
    )
    .min(1)
    .max(10_000)
    .default([{ name: 'CiUBM', vectors: [], set: {} }])
    .describe(
      'Rows of the grid: name; set: options of `mim ctr` by path; vectors: names of content vectors, one row for each',
    ),
})

export type GridConfig = z.output<typeof gridConfig>
