/** Schemas of features in the configuration: how a column becomes a feature of the click model. */
import { z } from 'zod'

/** Values of a list, and ranges of a bucket. */
const mostValues = 2 ** 20

const name = z.string().nullable().default(null).describe('Name of the feature; null: the column name')
const column = z
  .union([z.string(), z.array(z.string()).min(2)])
  .describe('Column name; with several names the combination of their values is one value')
const table = z
  .string()
  .nullable()
  .default(null)
  .describe('Embedding table; features with the same table share vocabulary and rows; null: a table of its own')
const minCount = z
  .int()
  .positive()
  .nullable()
  .default(null)
  .describe('Minimum number of occurrences in training; rarer values count as unknown; null: features.minCount')

const kinds = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('category').describe('One value out of a vocabulary'),
    name,
    column,
    table,
    minCount,
  }),
  z.strictObject({
    kind: z.literal('list').describe('Several values; their embeddings are summed'),
    name,
    column: z.string(),
    length: z.int().positive().max(mostValues).describe('Longest list; the first values are kept'),
    padding: z
      .union([z.string(), z.int()])
      .nullable()
      .default(null)
      .describe('Padding value of the lists; null: no padding'),
    table,
    minCount,
  }),
  z.strictObject({
    kind: z.literal('hash').describe('A category without a vocabulary: values are hashed to rows'),
    name,
    column,
    rows: z
      .int()
      .min(3)
      .max(2 ** 31 - 1)
      .describe('Hash table size'),
  }),
  z.strictObject({
    kind: z
      .literal('number')
      .describe('A number that scales an embedding; missing numbers have an embedding of their own'),
    name,
    column: z.string(),
    transform: z
      .enum(['standardize', 'log1p', 'none'])
      .default('standardize')
      .describe(
        'standardize: mean 0 and standard deviation 1 in training; log1p: the same after sign(x)·log(1 + |x|); none: unchanged',
      ),
  }),
  z.strictObject({
    kind: z.literal('bucket').describe('A number as a category: the range that it is in'),
    name,
    column: z.string(),
    count: z.int().min(2).max(mostValues).default(10).describe('Ranges, each with about as many training impressions'),
    edges: z
      .array(z.number())
      .min(1)
      .nullable()
      .default(null)
      .describe('Boundaries of the ranges, ascending; null: quantiles, see count'),
  }),
])

/** A name alone means a category. */
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
    kind: z.literal('category').describe('A value of the behavior'),
    name,
    column: z
      .string()
      .describe(
        'Column of the behaviors table; with listed histories: of the impressions table, a list as long as the history',
      ),
    target: z
      .string()
      .nullable()
      .default(null)
      .describe('Column of the impressions table with the value of the target; null: unknown'),
    table,
    minCount,
  }),
  z.strictObject({
    kind: z.literal('gap').describe('Time from behavior to impression as a category: ranges of 1, 2, 4, 8, … seconds'),
  }),
])

export type FeatureSpec = z.output<typeof kinds>
export type BehaviorFeatureSpec = z.output<typeof behaviorFeature>
