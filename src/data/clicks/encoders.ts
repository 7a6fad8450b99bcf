/** What makes rows of embedding tables out of the values of features: learned in training, kept with the model. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lowerBound, valuesOfRanks } from '../../metrics/order.js'
import { paddingRow, unknownRow } from '../../ops/tableRows.js'
import type { Column, ColumnStore, Stored } from '../tables/column.js'
import { type Database, literal } from '../tables/duckdb.js'
import type { Whitening } from '../vectors/whitening.js'
import type { FeatureSpec } from './featureSpec.js'
import type { FeatureColumn, RowFeature } from './features.js'
import type { ClickNumbers } from './numbers.js'
import type { Vocabulary } from './vocabulary.js'

/** Of a number: what is subtracted and divided by after the transform. Of a bucket: where ranges begin. */
export type Scaling = { mean: number; deviation: number } | { edges: number[] }

export interface Encoders {
  /** By embedding table; rows by the dense numbers of this data. */
  vocabularies: Record<string, Vocabulary>
  /** By feature. */
  scalings: Record<string, Scaling>
  /** Training impressions of each item, by dense number. */
  trainCount: Int32Array
  /** Of content vectors, where they are whitened. */
  whitening?: Whitening
}

/** Row of the embedding that a number scales. */
const numberRow = unknownRow + 1

/** The transform of `spec` learned from training values, NaN where missing; `values` gives them again and again. */
export function fitScaling(spec: FeatureSpec, values: () => Iterable<Float32Array>): Scaling {
  if (spec.kind === 'bucket') return { edges: spec.edges ?? quantiles(values, spec.count) }
  const count = sumOf(values, () => 1)
  if (spec.kind !== 'number' || spec.transform === 'none' || count === 0) return { mean: 0, deviation: 1 }
  const mean = sumOf(values, (x) => transform(spec, x)) / count
  const variance = sumOf(values, (x) => (transform(spec, x) - mean) ** 2) / count
  return { mean, deviation: variance > 0 ? Math.sqrt(variance) : 1 }
}

/** Sum of `f` over the values that are not missing. */
function sumOf(values: () => Iterable<Float32Array>, f: (x: number) => number): number {
  let sum = 0
  for (const block of values()) for (const x of block) if (!Number.isNaN(x)) sum += f(x)
  return sum
}

function transform(spec: FeatureSpec, x: number): number {
  return spec.kind === 'number' && spec.transform === 'log1p' ? Math.sign(x) * Math.log1p(Math.abs(x)) : x
}

/** The least value of each of `parts` equal parts but the first, each once. */
function quantiles(values: () => Iterable<Float32Array>, parts: number): number[] {
  const count = sumOf(values, () => 1)
  if (count === 0) return []
  const ranks = Array.from({ length: parts }, (_, i) => Math.floor((i * count) / parts))
  const [least, ...edges] = valuesOfRanks(values, ranks)
  return [...new Set(edges)].filter((edge) => edge > least)
}

/** The rows of a feature's table, in `store`. */
export function encode(
  column: FeatureColumn,
  { vocabularies, scalings }: Encoders,
  store: ColumnStore,
): Stored<RowFeature> {
  const { name, table, spec, values, codes, numbersOfRows } = column
  if (spec.kind === 'hash') {
    const rowOf = store.map(codes!, 'int32', (row) => (row < 0 ? unknownRow : row))
    return { name, table, size: spec.rows, values, rowOf }
  }
  if (codes) {
    const { rowOf, size } = vocabularies[table]
    return { name, table, size, values, rowOf: encodeCodes(codes, rowOf, values, store) }
  }
  const numbers = numbersOfRows!
  const scaling = scalings[name]
  if ('edges' in scaling) {
    // Of n edges come n + 1 ranges.
    const edges = Float64Array.from(scaling.edges)
    const range = (x: number) => unknownRow + 1 + upperBound(edges, x)
    const rowOf = store.map(numbers, 'int32', (x) => (Number.isNaN(x) ? unknownRow : range(x)))
    return { name, table, size: unknownRow + 2 + edges.length, values, rowOf }
  }
  const { mean, deviation } = scaling
  return {
    name,
    table,
    size: numberRow + 1,
    values,
    rowOf: store.map(numbers, 'int32', (x) => (Number.isNaN(x) ? unknownRow : numberRow)),
    weight: store.map(numbers, 'float32', (x) => (Number.isNaN(x) ? 1 : (transform(spec, x) - mean) / deviation)),
  }
}

/** A list that is shorter than it may be is padded; one without any value is unknown. */
function encodeCodes(codes: Column<'int32'>, rowOf: Int32Array, values: number, store: ColumnStore) {
  return store.map(codes, 'int32', (code, i) => {
    if (code >= 0) return rowOf[code]
    return i % values === 0 ? unknownRow : paddingRow
  })
}

/** How many of the rising `edges` are not above x. */
function upperBound(edges: Float64Array, x: number): number {
  const first = lowerBound(edges, x)
  return edges[first] === x ? first + 1 : first
}

const vocabularyFile = 'vocabulary.parquet'
const featureFile = 'features.json'

/** What `saveEncoders` writes into features.json. */
interface Saved {
  /** Rows of each table. */
  sizes: Record<string, number>
  scalings: Record<string, Scaling>
  whitening?: Whitening
}

/**
 * Writes into `folder`: features.json with sizes and transforms, of content vectors too, and vocabulary.parquet with a row
 * (table, value, row, count) for each known value, ids and all else as text; `count` is that of items.
 */
export async function saveEncoders(
  db: Database,
  { vocabularies, scalings, trainCount, whitening }: Encoders,
  { byTable }: ClickNumbers,
  folder: string,
): Promise<void> {
  const sizes = Object.fromEntries(Object.entries(vocabularies).map(([name, { size }]) => [name, size]))
  writeFileSync(join(folder, featureFile), JSON.stringify({ sizes, scalings, whitening } satisfies Saved))
  await db.run('CREATE OR REPLACE TEMP TABLE rows_of_values (name VARCHAR, number INTEGER, row INTEGER, count INTEGER)')
  for (const [name, { rowOf }] of Object.entries(vocabularies)) {
    const known = Array.from(rowOf.keys()).filter((number) => rowOf[number] > unknownRow)
    await db.insert('rows_of_values', [
      known.map(() => name),
      known,
      known.map((number) => rowOf[number]),
      known.map((number) => (name === 'item' ? trainCount[number] : null)),
    ])
  }
  const queries = Object.entries(byTable).map(
    ([name, { name: numbers, value, number }]) =>
      `SELECT r.name AS "table", CAST(n.${value} AS VARCHAR) AS value, r.row, r.count FROM rows_of_values r
       JOIN ${numbers} n ON r.number = n.${number} WHERE r.name = ${literal(name)}`,
  )
  await db.writeParquet(`${queries.join(' UNION ALL ')} ORDER BY "table", row`, join(folder, vocabularyFile))
  await db.run('DROP TABLE rows_of_values')
}

/** The encoders in `folder`, for the values that have numbers in `tables`: what training did not know is unknown. */
export async function loadEncoders(db: Database, folder: string, { byTable }: ClickNumbers): Promise<Encoders> {
  const { sizes, scalings, whitening } = JSON.parse(readFileSync(join(folder, featureFile), 'utf8')) as Saved
  const vocabularies: Record<string, Vocabulary> = {}
  let trainCount: Int32Array = new Int32Array(0)
  for (const [name, { name: numbers, value, number }] of Object.entries(byTable)) {
    const read = await db.columns(
      `SELECT coalesce(v.row, ${unknownRow}) AS row, coalesce(v.count, 0) AS count FROM ${numbers} n
       LEFT JOIN (SELECT value, row, count FROM read_parquet(${literal(join(folder, vocabularyFile))})
         WHERE "table" = ${literal(name)}) v ON v.value = CAST(n.${value} AS VARCHAR) ORDER BY n.${number}`,
      { row: 'int32', count: 'int32' },
    )
    vocabularies[name] = { rowOf: read.row, size: sizes[name] }
    if (name === 'item') trainCount = read.count
  }
  return { vocabularies, scalings, trainCount, whitening }
}
