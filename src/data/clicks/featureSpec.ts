/** How a column becomes a feature of the click model. */
import { z } from 'zod'

const name = z.string().nullable().default(null).describe('What it is called; null: as its column')
const column = z
  .union([z.string(), z.array(z.string()).min(2)])
  .describe('Name; of several names the combination of their values counts as one value')
const table = z
  .string()
  .nullable()
  .default(null)
  .describe('Embedding table; features that name the same one share vocabulary and rows; null: one of its own')
const minCount = z
  .int()
  .positive()
  .nullable()
  .default(null)
  .describe('Occurrences in training below which a value counts as unknown; null: features.minCount')

const kinds = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('category').describe('One of many values'), name, column, table, minCount }),
  z.strictObject({
    kind: z.literal('list').describe('Several values, whose embeddings are summed'),
    name,
    column: z.string(),
    length: z.int().positive().describe('Values at most, the first of the list'),
    padding: z
      .union([z.string(), z.int()])
      .nullable()
      .default(null)
      .describe('Value that fills lists up; null: none does'),
    table,
    minCount,
  }),
  z.strictObject({
    kind: z.literal('hash').describe('As category, without a vocabulary: values that share a hash share a row'),
    name,
    column,
    rows: z.int().min(3).describe('Rows of the table'),
  }),
  z.strictObject({
    kind: z
      .literal('number')
      .describe('A number, which scales an embedding; a missing one has an embedding of its own'),
    name,
    column: z.string(),
    transform: z
      .enum(['standardize', 'log1p', 'none'])
      .default('standardize')
      .describe(
        'standardize: mean 0, deviation 1 in training; log1p: the same of sign(x)·log(1 + |x|); none: as it is',
      ),
  }),
  z.strictObject({
    kind: z.literal('bucket').describe('A number as one of some ranges'),
    name,
    column: z.string(),
    count: z.int().min(2).default(10).describe('Ranges that hold about as many training impressions each'),
    edges: z.array(z.number()).min(1).nullable().default(null).describe('Where ranges begin, rising; null: by count'),
  }),
])

/** A name stands for a category. */
export const feature = z.preprocess(
  (given) =>
    typeof given === 'string'
      ? { kind: 'category', column: given }
      : typeof given === 'object' && given !== null && !('kind' in given)
        ? { kind: 'category', ...given }
        : given,
  kinds,
)

export const behaviorFeature = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('category').describe('A value that a behavior has'),
    name,
    column: z.string().describe('Of the behaviors table; where histories are listed: a list as long, of impressions'),
    target: z.string().nullable().default(null).describe('Column of impressions with the value of the target'),
    table,
    minCount,
  }),
  z.strictObject({
    kind: z.literal('gap').describe('Time from the behavior to the impression, by powers of two seconds'),
  }),
])

export type FeatureSpec = z.output<typeof kinds>
export type BehaviorFeatureSpec = z.output<typeof behaviorFeature>
