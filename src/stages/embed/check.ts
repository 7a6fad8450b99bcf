/** Checks an embedding table: norms and spread of its vectors, coverage of a log, drift from another table. */
import { DataFacts } from '../../data/facts.js'
import { openTable } from '../../data/tables/contract.js'
import { checkJoin } from '../../data/tables/coverage.js'
import { type Database, identifier, literal } from '../../data/tables/duckdb.js'
import { exactMean } from '../../data/tables/exactSum.js'
import { usualItemColumns } from '../../data/usualColumns.js'
import { copyIds } from '../../data/vectors/sources.js'
import { type EmbeddingTable, type Id, normOf, vectorFlags, vectorProblem } from '../../store/index.js'
import { type Checksums, fileProblems } from './checkFiles.js'
import { countDuplicates, fingerprint } from './duplicates.js'

/** Rows read at a time. */
const blockRows = 2048
/** Largest deviation of a float32 vector from unit norm. */
const unitTolerance = 1e-3
/** The same for int8, where numbers are off by up to half the scale. */
const int8Tolerance = 0.1
/** With a larger mean cosine of two items, vectors no longer distinguish items. */
const collapseCosine = 0.95

export interface VectorFindings {
  rows: number
  width: number
  model_version: string
  norm_min: number
  norm_mean: number
  norm_max: number
  /** Vectors with a number that is not finite, and vectors with a norm other than 1. */
  not_finite: number
  not_unit: number
  /** Vectors equal to the vector of an earlier row. */
  duplicates: number
  /** Mean cosine over all pairs of items; 1 if all vectors are equal. */
  mean_cosine: number
  /** Vectors of pictures and titles that are not finite, or zero. */
  parts_not_usable: number
  /** Whether all files have the checksums of the manifest; `none`: written by an earlier version. */
  checksums: Checksums
  /** Descriptions for the user of what is wrong. */
  problems: string[]
}

/** Everything that can be wrong with a table by itself. Reads all its files. */
export async function checkTable(db: Database, table: EmbeddingTable): Promise<VectorFindings> {
  const { checksums, problems } = await fileProblems(db, table)
  const vectors = checkVectors(table)
  return { ...vectors, checksums, problems: [...problems, ...vectors.problems] }
}

/** One pass over the vectors of a table. */
export function checkVectors(table: EmbeddingTable): Omit<VectorFindings, 'checksums'> {
  const { rows, type, model_version } = table.manifest
  const d = table.width
  const sum = new Float64Array(d)
  const fingerprints = new BigUint64Array(rows)
  const norms = { least: Infinity, most: 0, total: 0 }
  let [notFinite, notUnit, units] = [0, 0, 0]
  const tolerance = type === 'int8' ? int8Tolerance : unitTolerance
  for (const { from, rows: count, vectors } of table.blocks(blockRows)) {
    for (let i = 0; i < count; i++) {
      const vector = vectors.subarray(i * d, (i + 1) * d)
      fingerprints[from + i] = fingerprint(vector)
      const norm = normOf(vector, 0, d)
      if (!Number.isFinite(norm)) {
        notFinite++
        continue
      }
      norms.least = Math.min(norms.least, norm)
      norms.most = Math.max(norms.most, norm)
      norms.total += norm
      if (Math.abs(norm - 1) > tolerance) notUnit++
      if (norm === 0) continue
      units++
      for (let k = 0; k < d; k++) sum[k] += vector[k] / norm
    }
  }
  const squared = sum.reduce((total, x) => total + x * x, 0)
  const meanCosine = units > 1 ? (squared - units) / (units * (units - 1)) : 0
  const odd = oddParts(table)
  const problems = [
    rows === 0 && 'the table has no rows',
    notFinite > 0 && `${notFinite} vectors are not finite`,
    notUnit > 0 && `${notUnit} vectors do not have unit norm`,
    odd > 0 && `${odd} vectors of pictures or titles are not finite, or zero`,
    meanCosine > collapseCosine && `the vectors have collapsed: the mean cosine is ${meanCosine.toFixed(3)}`,
  ].filter((problem) => problem !== false)
  return {
    rows,
    width: d,
    model_version,
    norm_min: rows > notFinite ? norms.least : 0,
    norm_mean: norms.total / Math.max(1, rows - notFinite),
    norm_max: norms.most,
    not_finite: notFinite,
    not_unit: notUnit,
    parts_not_usable: odd,
    duplicates: countDuplicates(table, fingerprints),
    mean_cosine: meanCosine,
    problems,
  }
}

/** Number of vectors of pictures and titles that cannot be used. */
function oddParts(table: EmbeddingTable): number {
  let odd = 0
  for (const name of ['image_embedding', 'text_embedding'] as const) {
    const width = table.manifest.widths[name]
    for (const { from, rows, vectors } of table.blocks(blockRows, name)) {
      const present = table.rows.array('present').read(from, rows)
      for (let i = 0; i < rows; i++) {
        if (!(present[i] & vectorFlags[name])) continue
        if (vectorProblem(vectors.subarray(i * width, (i + 1) * width))) odd++
      }
    }
  }
  return odd
}

export interface Coverage {
  /** Rows of the log and the share of rows with a vector; the same for the distinct items of the log. */
  rows: number
  rows_covered: number
  items: number
  items_covered: number
  /** What is likely wrong: no id of the log is in the table, or ids are written differently. */
  problems: string[]
}

/** Ids without a vector that are examined. */
const examined = 1000

/** The share of a log's items that have vectors; `column` contains their ids. */
export async function checkCoverage(
  db: Database,
  table: EmbeddingTable,
  path: string,
  column: string,
): Promise<Coverage> {
  const log = await openTable(db, path, { [column]: { type: 'id', nullable: true } })
  const id = identifier(column)
  const counts = { rows: 0, rows_covered: 0, items: 0, items_covered: 0 }
  const odd: string[] = []
  const isText = table.ids.kind === 'string'
  const query = `SELECT CAST(${id} AS VARCHAR) AS id, CAST(count(*) AS DOUBLE) AS n FROM ${log.source}
    WHERE ${id} IS NOT NULL GROUP BY 1`
  for await (const { id: ids, n } of db.batches(query, { id: 'string', n: 'float64' })) {
    const wanted = ids.map((text): Id => (isText ? text! : integerOf(text!)))
    const { found } = table.get(wanted)
    for (const [i, rows] of n.entries()) {
      counts.rows += rows
      counts.items++
      if (!found[i]) {
        if (odd.length < examined) odd.push(ids[i]!)
        continue
      }
      counts.rows_covered += rows
      counts.items_covered++
    }
  }
  const facts = new DataFacts()
  const idType = log.columns.get(column)!
  const unmatched = {
    where: `${path}: column '${column}'`,
    ids: () => `SELECT CAST(unnest([${odd.map(literal).join(', ')}]) AS ${idType}) AS id`,
  }
  const others = { where: table.folder, ids: () => copyIds(db, table) }
  const [matched, of] = [counts.rows_covered, counts.rows]
  const check = { join: `${path} → vectors`, matched, of, unmatched, others }
  await checkJoin(db, check, { facts, least: 0, stops: false })
  return {
    problems: facts.warnings.map(({ what }) => what),
    rows: counts.rows,
    rows_covered: counts.rows_covered / Math.max(1, counts.rows),
    items: counts.items,
    items_covered: counts.items_covered / Math.max(1, counts.items),
  }
}

/** An id of a log as a table of integer ids has it; other text stays text, which is in no such table. */
const integerOf = (text: string): Id => (/^-?\d+$/.test(text) ? BigInt(text) : text)

export interface Drift {
  /** Number of items in both tables, and in only one of them. */
  common: number
  only_new: number
  only_old: number
  mean: number
  p1: number
  median: number
  /** Share of the common items with a cosine below 0.9. */
  moved: number
  /** The items with the smallest cosines. */
  worst: { item: string; cosine: number }[]
  by_category: { category: string | null; items: number; mean: number; p1: number }[]
}

/** A catalogue and its columns, to report drift by category. */
export interface Categories {
  path: string
  id: string
  category: string
}

const worstShown = 10

/** Cosines of the two vectors of each item that both tables have. */
export async function checkDrift(
  db: Database,
  now: EmbeddingTable,
  before: EmbeddingTable,
  categories: Categories | undefined,
): Promise<Drift> {
  await db.run('CREATE OR REPLACE TEMP TABLE drift (item VARCHAR, cosine DOUBLE)')
  const d = now.width
  for (const { from, rows, vectors } of now.blocks(blockRows)) {
    const ids = now.ids.read(from, rows)
    const old = before.get(ids)
    const common = ids.map((_, i) => i).filter((i) => old.found[i])
    await db.insert('drift', [
      common.map((i) => String(ids[i])),
      common.map((i) => cosine(vectors, old.vectors, i * d, d)),
    ])
  }
  const statistics = `${exactMean('cosine')} AS mean, quantile_cont(cosine, 0.01) AS p1`
  const all = await db.row<{ common: bigint; mean: number | null; p1: number; median: number; moved: number }>(
    `SELECT count(*) AS common, ${statistics}, median(cosine) AS median,
       avg(CASE WHEN cosine < 0.9 THEN 1.0 ELSE 0.0 END) AS moved FROM drift`,
  )
  const worst = await db.rows<{ item: string; cosine: number }>(
    `SELECT item, cosine FROM drift ORDER BY cosine, item LIMIT ${worstShown}`,
  )
  const common = Number(all.common)
  return {
    common,
    only_new: now.manifest.rows - common,
    only_old: before.manifest.rows - common,
    mean: all.mean ?? 0,
    p1: all.p1 ?? 0,
    median: all.median ?? 0,
    moved: Number(all.moved ?? 0),
    worst,
    by_category: categories ? await driftByCategory(db, categories, statistics) : [],
  }
}

async function driftByCategory(
  db: Database,
  { path, id, category }: Categories,
  statistics: string,
): Promise<Drift['by_category']> {
  const { source, columns } = await openTable(db, path, {
    [id]: { type: 'id' },
    [category]: { type: 'any', optional: category === usualItemColumns.category },
  })
  if (!columns.has(category)) return []
  const rows = await db.rows<{ category: string | null; items: bigint; mean: number; p1: number }>(
    `SELECT CAST(t.${identifier(category)} AS VARCHAR) AS category, count(*) AS items, ${statistics}
     FROM drift JOIN ${source} t ON CAST(t.${identifier(id)} AS VARCHAR) = drift.item GROUP BY 1 ORDER BY mean, 1`,
  )
  return rows.map((row) => ({ ...row, items: Number(row.items) }))
}

/** Cosine of the `d` numbers of `a` and of `b` that start at index `from`. */
function cosine(a: Float32Array, b: Float32Array, from: number, d: number): number {
  let product = 0
  for (let k = from; k < from + d; k++) product += a[k] * b[k]
  return product / (normOf(a, from, d) * normOf(b, from, d) || 1)
}
