/** Encoders turn values of features into embedding table rows: learned in training, saved with the model. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '../../base/files.js'
import { brokenFile, readJson } from '../../base/ownFile.js'
import { lowerBound, valuesOfRanks } from '../../metrics/order.js'
import { paddingRow, unknownRow } from '../../ops/tableRows.js'
import type { Column, ColumnStore, Stored } from '../tables/column.js'
import { type ColumnRule, openTable } from '../tables/contract.js'
import { type Database, fileLiteral, literal } from '../tables/duckdb.js'
import { takeRows, upTo } from '../tables/matrix.js'
import type { Whitening } from '../vectors/whitening.js'
import type { FeatureSpec } from './featureSpec.js'
import type { FeatureColumn, RowFeature } from './features.js'
import type { ClickNumbers } from './numbers.js'
import type { Vocabulary } from './vocabulary.js'

/** Of a number: mean and standard deviation after the transform. Of a bucket: boundaries of the ranges, ascending. */
export type Scaling = { mean: number; deviation: number } | { edges: number[] }

export interface Encoders {
  /** By embedding table; rows by the dense numbers of this data. */
  vocabularies: Record<string, Vocabulary>
  /** By feature. */
  scalings: Record<string, Scaling>
  /** Training impressions of each item, by dense number. */
  trainCount: Int32Array
  /** Of content vectors; undefined: none. */
  whitening?: Whitening
  /** The file that they were read from. */
  file?: string
}

/** Table row of the embedding that a number scales. */
const numberRow = unknownRow + 1

/** Fits the scaling of `spec` to training values, NaN for missing ones; `values` iterates over all of them at each call. */
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

/** The boundaries of `parts` equal parts: the least value of each except the first, without repeats. */
function quantiles(values: () => Iterable<Float32Array>, parts: number): number[] {
  const count = sumOf(values, () => 1)
  if (count === 0) return []
  const ranks = Array.from({ length: parts }, (_, i) => Math.floor((i * count) / parts))
  const [least, ...edges] = valuesOfRanks(values, ranks)
  return [...new Set(edges)].filter((edge) => edge > least)
}

/** A feature as table rows, in `store`. */
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
    // n edges make n + 1 ranges.
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

/** Pads lists that are shorter than `values`; the first value of an empty list is unknown. */
function encodeCodes(codes: Column<'int32'>, rowOf: Int32Array, values: number, store: ColumnStore) {
  return store.map(codes, 'int32', (code, i) => {
    if (code >= 0) return rowOf[code]
    return i % values === 0 ? unknownRow : paddingRow
  })
}

/** Number of the ascending `edges` that are not above x. */
function upperBound(edges: Float64Array, x: number): number {
  const first = lowerBound(edges, x)
  return edges[first] === x ? first + 1 : first
}

const vocabularyFile = 'vocabulary.parquet'
const featureFile = 'features.json'

/** Content of features.json. */
interface Saved {
  /** Rows of each table. */
  sizes: Record<string, number>
  scalings: Record<string, Scaling>
  whitening?: Whitening
}

/**
 * Writes into `folder`: features.json with table sizes, scalings and whitening, and vocabulary.parquet with a row
 * (table, value, row, count) for each known value. Values, ids included, are texts; `count` is set for items only.
 */
export async function saveEncoders(
  db: Database,
  { vocabularies, scalings, trainCount, whitening }: Encoders,
  { byTable }: ClickNumbers,
  folder: string,
): Promise<void> {
  const sizes = Object.fromEntries(Object.entries(vocabularies).map(([name, { size }]) => [name, size]))
  const features = JSON.stringify({ sizes, scalings, whitening } satisfies Saved)
  await replaceFile(join(folder, featureFile), (temporary) => writeFileSync(temporary, features))
  const queries: string[] = []
  for (const [i, [name, { name: numbers, value, number }]] of Object.entries(byTable).entries()) {
    const { rowOf } = vocabularies[name]
    const known = upTo(rowOf.length).filter((n) => rowOf[n] > unknownRow)
    await db.run(`CREATE OR REPLACE TEMP TABLE table_rows_${i} (number INTEGER, row INTEGER, count INTEGER)`)
    const counts = name === 'item' ? takeRows(trainCount, 1, known) : known.map(() => 0)
    await db.insert(`table_rows_${i}`, [known, takeRows(rowOf, 1, known), counts])
    queries.push(`SELECT ${literal(name)} AS "table", CAST(n.${value} AS VARCHAR) AS value, r.row,
      ${name === 'item' ? 'r.count' : 'NULL::INTEGER AS count'} FROM table_rows_${i} r JOIN ${numbers} n ON r.number = n.${number}`)
  }
  const rows = `${queries.join(' UNION ALL ')} ORDER BY "table", row`
  await replaceFile(join(folder, vocabularyFile), (temporary) => db.writeParquet(rows, temporary))
  for (const i of queries.keys()) await db.run(`DROP TABLE table_rows_${i}`)
}

/** SQL query of the values, texts, that training knows in an embedding table, in the column `value`; `folder` as above. */
export const knownValues = (folder: string, table: string) =>
  `SELECT value, row, count FROM read_parquet(${fileLiteral(join(folder, vocabularyFile))}) WHERE "table" = ${literal(table)}`

const scaling = z.union([
  z.strictObject({ mean: z.number(), deviation: z.number().refine((x) => x !== 0, { error: 'zero' }) }),
  z.strictObject({ edges: z.array(z.number()) }),
])
const saved: z.ZodType<Saved> = z.object({
  sizes: z.record(z.string(), z.int().positive()),
  scalings: z.record(z.string(), scaling),
  whitening: z.object({ mean: z.array(z.number()), directions: z.array(z.number()) }).optional(),
})
const recovery = { remedy: 'copy the checkpoint again, or train the model again' }

/**
 * The encoders in `folder`, for the values numbered in this data; values that training did not see are unknown.
 * @throws UserError `file-broken`, and those of `openTable`
 */
export async function loadEncoders(db: Database, folder: string, { byTable }: ClickNumbers): Promise<Encoders> {
  const path = join(folder, featureFile)
  const { sizes, scalings, whitening } = readJson(path, saved, recovery)
  const rules = { table: { type: 'text' }, value: { type: 'text' }, row: { type: 'number' }, count: { type: 'number' } }
  await openTable(db, join(folder, vocabularyFile), rules as Record<string, ColumnRule>)
  const vocabularies: Record<string, Vocabulary> = {}
  let trainCount: Int32Array = new Int32Array(0)
  for (const [name, { name: numbers, value, number }] of Object.entries(byTable)) {
    const read = await db.columns(
      `SELECT coalesce(v.row, ${unknownRow}) AS row, coalesce(v.count, 0) AS count FROM ${numbers} n
       LEFT JOIN (${knownValues(folder, name)}) v ON v.value = CAST(n.${value} AS VARCHAR) ORDER BY n.${number}`,
      { row: 'int32', count: 'int32' },
    )
    if (read.rows !== (await db.count(numbers))) {
      throw brokenFile(join(folder, vocabularyFile), `a value of the table '${name}' is in it twice`, recovery)
    }
    const size = sizes[name]
    if (size === undefined) throw brokenFile(path, `sizes: there is none of the table '${name}'`, recovery)
    const odd = read.row.find((row) => row < 0 || row >= size)
    if (odd !== undefined) {
      const file = join(folder, vocabularyFile)
      throw brokenFile(file, `row ${odd} of the table '${name}'`, recovery, `less than ${size}, its size in ${path}`)
    }
    vocabularies[name] = { rowOf: read.row, size }
    if (name === 'item') trainCount = read.count
  }
  return { vocabularies, scalings, trainCount, whitening, file: path }
}

/**
 * Checks that saved encoders have what the features and the content vectors of this data need.
 * @throws UserError `file-broken`
 */
export function requireFit(
  { scalings, whitening, file = featureFile }: Encoders,
  columns: readonly Pick<FeatureColumn, 'name' | 'spec' | 'codes'>[],
  width: number | undefined,
): void {
  const lost = columns.find(({ name, spec, codes }) => spec.kind !== 'hash' && !codes && !scalings[name])
  if (lost) throw brokenFile(file, `scalings: there is none of the feature '${lost.name}'`, recovery)
  if (!whitening || width === undefined) return
  const { mean, directions } = whitening
  if (mean.length === width && directions.length > 0 && directions.length % width === 0) return
  throw brokenFile(file, `whitening of ${mean.length} numbers; the content vectors have ${width}`, recovery)
}
