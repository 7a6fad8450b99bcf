/** Metrics of scored impressions in a Parquet file of any size: DuckDB counts, on disk beyond the memory limit. */
import { UserError } from '../base/errors.js'
import { openTable } from '../data/tables/contract.js'
import { Database, identifier } from '../data/tables/duckdb.js'
import { exactSum, ofExactSum } from '../data/tables/exactSum.js'
import { type CalibrationBin, DEFAULT_BINS, LOG_LOSS_EPSILON } from '../metrics/index.js'

export interface EvaluateOptions {
  path: string
  /** Columns: 0 or 1; a probability; the group of GAUC. */
  label: string
  score: string
  group: string
  /** Memory limit of DuckDB, e.g. "2GB". */
  memory: string
  /** Threads of DuckDB; default: one per core. */
  threads?: number
}

/** The same values as `auc`, `gauc`, `logLoss` and `calibration` of src/metrics, with the same bits in every call. */
export interface Evaluation {
  rows: number
  positives: number
  auc: number
  gauc: number
  /** Groups with both classes, which count, and all groups. */
  gauc_groups: number
  groups: number
  logloss: number
  ece: number
  predicted_over_observed: number
  reliability: CalibrationBin[]
}

/**
 * @throws UserError `probability-range` for a score outside [0, 1], and the errors of `openTable`.
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { path, label, score, group, memory, threads } = options
  using db = await Database.open({ memory, threads })
  const rules = { [label]: { type: 'label' }, [score]: { type: 'number' }, [group]: { type: 'any' } } as const
  const { source } = await openTable(db, path, rules)
  await checkScores(db, source, options)
  const counts = `sum(CAST(${identifier(label)} AS BIGINT)) AS p, count(*) - p AS n`
  // −0 ties with 0.
  const value = `CAST(${identifier(score)} AS DOUBLE) + 0.0 AS s`
  await db.run(`CREATE TEMP TABLE by_score AS SELECT ${value}, ${counts} FROM ${source} GROUP BY s`)
  const whole = await overall(db)
  const { rows, positives } = whole
  return {
    ...whole,
    ...(await grouped(db, `SELECT ${identifier(group)} AS g, ${value}, ${counts} FROM ${source} GROUP BY g, s`)),
    ...(await reliability(db, rows, positives)),
  }
}

async function checkScores(db: Database, source: string, { path, score }: EvaluateOptions): Promise<void> {
  const column = identifier(score)
  const bad = `${column} IS NULL OR isnan(${column}) OR ${column} NOT BETWEEN 0 AND 1`
  const [found] = await db.rows<{ value: string | null }>(
    `SELECT CAST(${column} AS VARCHAR) AS value FROM ${source} WHERE ${bad} LIMIT 1`,
  )
  if (!found) return
  throw new UserError({
    id: 'probability-range',
    where: `${path}: column '${score}'`,
    what: String(found.value),
    expected: 'a number from 0 to 1',
    remedy: 'apply the sigmoid to logits first',
  })
}

/** Twice the number of pairs with the positive above the negative; a tie counts as half a pair. */
const won = 'sum(CAST(p AS HUGEINT) * (2 * below + n))'
const below = (partition: string) =>
  `sum(n) OVER (${partition} ORDER BY s ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - n AS below`

async function overall(db: Database) {
  const [lowest, highest] = [LOG_LOSS_EPSILON, 1 - LOG_LOSS_EPSILON]
  const clipped = `least(greatest(s, ${lowest}), ${highest})`
  const found = await db.row<Record<'won' | 'positives' | 'negatives' | 'loss', bigint | null>>(
    `SELECT ${won} AS won, CAST(sum(p) AS BIGINT) AS positives, CAST(sum(n) AS BIGINT) AS negatives,
       ${exactSum(`-(p * ln(${clipped}) + n * ln(1 - ${clipped}))`)} AS loss
     FROM (SELECT *, ${below('')} FROM by_score)`,
  )
  const [pairs, positives, negatives] = [found.won, found.positives, found.negatives].map(Number)
  const rows = positives + negatives
  return { rows, positives, auc: pairs / 2 / (positives * negatives), logloss: ofExactSum(found.loss) / rows }
}

async function grouped(db: Database, bySource: string) {
  const found = await db.row<{ weighted: bigint | null; rows: number | null; counted: bigint; groups: bigint }>(
    `SELECT ${exactSum('won / 2 / nullif(p * n, 0) * (p + n)')} AS weighted,
       sum(p + n) FILTER (p > 0 AND n > 0) AS rows,
       count(*) FILTER (p > 0 AND n > 0) AS counted, count(*) AS groups
     FROM (SELECT CAST(${won} AS DOUBLE) AS won, CAST(sum(p) AS DOUBLE) AS p, CAST(sum(n) AS DOUBLE) AS n
       FROM (SELECT *, ${below('PARTITION BY g')} FROM (${bySource})) GROUP BY g)`,
  )
  const { weighted, rows, counted, groups } = found
  return { gauc: ofExactSum(weighted) / Number(rows), gauc_groups: Number(counted), groups: Number(groups) }
}

/** Bins of equal numbers of rows; equal scores share the bin of their middle row. */
async function reliability(db: Database, rows: number, positives: number) {
  const found = await db.rows<{ predicted: bigint; observed: number; count: number }>(
    `SELECT ${exactSum('s * (p + n)')} AS predicted, CAST(sum(p) AS DOUBLE) AS observed, CAST(sum(p + n) AS DOUBLE) AS count
     FROM (SELECT *, sum(p + n) OVER (ORDER BY s ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS finish
       FROM by_score)
     GROUP BY ((2 * finish - p - n - 1) * ${DEFAULT_BINS}) // (2 * ${rows}) ORDER BY min(s)`,
  )
  const bins = found.map((bin) => ({ ...bin, predicted: ofExactSum(bin.predicted) }))
  const gaps = bins.reduce((sum, { predicted, observed }) => sum + Math.abs(predicted - observed), 0)
  const predicted = bins.reduce((sum, bin) => sum + bin.predicted, 0)
  return {
    ece: gaps / rows,
    predicted_over_observed: predicted / positives,
    reliability: bins.map(({ predicted, observed, count }) => ({
      predicted: predicted / count,
      observed: observed / count,
      count,
    })),
  }
}
