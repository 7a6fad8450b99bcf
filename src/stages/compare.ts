/** Sets click models side by side: means over seeds, and what each gains over the baseline, with an interval. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parse } from 'yaml'
import { Database, literal } from '../data/duckdb.js'
import { UserError } from '../errors.js'
import { type Difference, rankRows, userBootstrap, weightedAuc } from '../metrics/index.js'
import { type ComparedMetric, type ComparisonRow, comparedMetrics } from '../report/index.js'

type Tree = Record<string, unknown>

/** A finished run of any stage. */
export interface FinishedRun {
  folder: string
  stage: string
  config: Tree
  metrics: Tree
}

export interface Comparison {
  engine: string
  /** Of all runs together. */
  seconds: number
  /** Where the data tell the truth (`mim sample`): AUC of one who knows every taste. */
  oracle_auc?: number
  baseline: string
  /** The baseline first, then by AUC. */
  rows: ComparisonRow[]
  /** Recall@10, mean over seeds: picture → title after stage 1, query → chosen item after C-SFT. */
  retrieval: { pretrain_recall10?: number; sft_recall10_before?: number; sft_recall10?: number }
}

const readable = (folder: string, name: string) => existsSync(join(folder, name))

/**
 * All finished runs in `folder` and below, by name.
 * @throws UserError `folder-missing`.
 */
export function findRuns(folder: string): FinishedRun[] {
  if (readable(folder, 'config.yaml') && readable(folder, 'metrics.json')) return [readRun(folder)]
  if (!existsSync(folder)) throw new UserError({ id: 'folder-missing', what: `${folder} does not exist` })
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort(new Intl.Collator('en', { numeric: true }).compare)
    .flatMap((name) => findRuns(join(folder, name)))
}

function readRun(folder: string): FinishedRun {
  const config = readYaml(folder)
  const metrics = JSON.parse(readFileSync(join(folder, 'metrics.json'), 'utf8')) as Tree
  return { folder, stage: String(config['stage']), config, metrics }
}

/**
 * Compares the click models among `runs`; the first one of ids only, else the first, is the baseline.
 * @throws UserError `runs-missing` without a run of `mim ctr`, `runs-differ` where predictions are not of the same
 * impressions.
 */
export async function compareRuns(runs: readonly FinishedRun[]): Promise<Comparison> {
  const groups = grouped(runs.filter(({ stage }) => stage === 'ctr'))
  if (groups.length === 0) {
    throw new UserError({
      id: 'runs-missing',
      what: 'no finished run of mim ctr was found',
      remedy: 'run mim ctr first',
    })
  }
  const baseline = groups.find(([run]) => run.metrics['model'] === 'din') ?? groups[0]
  const db = await Database.open()
  const base = await predictions(db, baseline)
  const rows: ComparisonRow[] = []
  for (const group of groups) {
    const row = summaryOf(group)
    rows.push(group === baseline ? row : { ...row, over_baseline: difference(await predictions(db, group), base) })
  }
  db.close()
  const oracle = oracleOf(groups[0][0])
  return {
    engine: [...new Set(runs.flatMap(({ metrics }) => metrics['engine'] ?? []))].join(', '),
    seconds: runs.reduce((total, { metrics }) => total + Number(metrics['seconds'] ?? 0), 0),
    ...(oracle === undefined ? {} : { oracle_auc: oracle }),
    baseline: labelOf(baseline[0]),
    rows: rows.sort((a, b) => Number('over_baseline' in a) - Number('over_baseline' in b) || a.auc - b.auc),
    retrieval: {
      ...meanOf('pretrain_recall10', runs, 'pretrain', 'after_image_to_title_recall_10'),
      ...meanOf('sft_recall10_before', runs, 'sft', 'before_recall_10'),
      ...meanOf('sft_recall10', runs, 'sft', 'after_recall_10'),
    },
  }
}

const labelOf = ({ metrics, config }: FinishedRun) => `${metrics['model']} (${vectorsOf(metrics, config)})`

/** Runs of the same model on the same kind of vectors, in order of appearance. */
function grouped(runs: readonly FinishedRun[]): FinishedRun[][] {
  const groups = new Map<string, FinishedRun[]>()
  for (const run of runs) groups.set(labelOf(run), [...(groups.get(labelOf(run)) ?? []), run])
  return [...groups.values()]
}

/** Follows the embedding table to the stage that trained its encoder. */
function vectorsOf(metrics: Tree, config: Tree): string {
  if (metrics['model'] === 'din') return 'none'
  const table = String((config['data'] as Tree)['embeddings'])
  const made = dirname(table)
  if (!readable(made, 'config.yaml')) return basename(table)
  const checkpoint = String(readYaml(made)['checkpoint'])
  const encoder = dirname(checkpoint)
  if (!readable(encoder, 'config.yaml')) return basename(checkpoint)
  const stage = String(readYaml(encoder)['stage'])
  return { pretrain: 'stage 1', sft: 'C-SFT' }[stage] ?? stage
}

const readYaml = (folder: string) => parse(readFileSync(join(folder, 'config.yaml'), 'utf8')) as Tree

function summaryOf(group: FinishedRun[]): ComparisonRow {
  const [{ metrics, config }] = group
  const of = (name: string) => group.map((run) => Number(run.metrics[name] ?? Number.NaN))
  const numbers = comparedMetrics.flatMap((name) => [
    [name, mean(of(name))],
    [`${name}_sd`, deviation(of(name))],
  ])
  return {
    model: String(metrics['model']),
    vectors: vectorsOf(metrics, config),
    seeds: group.length,
    ...(Object.fromEntries(numbers) as Pick<ComparisonRow, ComparedMetric | `${ComparedMetric}_sd`>),
  }
}

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length

/** Sample standard deviation; 0 of a single value. */
function deviation(values: number[]): number {
  const center = mean(values)
  return Math.sqrt(values.reduce((total, x) => total + (x - center) ** 2, 0) / Math.max(1, values.length - 1))
}

/** Labels, users and, for each seed, the scores of the test period. */
interface Predictions {
  label: string
  labels: Uint8Array
  users: Int32Array
  scores: Float32Array[]
}

async function predictions(db: Database, group: FinishedRun[]): Promise<Predictions> {
  const read = []
  for (const { folder } of group) {
    const source = `read_parquet(${literal(join(folder, 'predictions.parquet'))}, file_row_number = true)`
    read.push(
      await db.columns(
        `SELECT label, dense_rank() OVER (ORDER BY user_id) - 1 AS usr, probability FROM ${source} ORDER BY file_row_number`,
        { label: 'uint8', usr: 'int32', probability: 'float32' },
      ),
    )
  }
  const [{ label: labels, usr: users }] = read
  const result = { label: labelOf(group[0]), labels, users, scores: read.map(({ probability }) => probability) }
  for (const other of read.slice(1)) checkSame(result, { ...result, labels: other.label, users: other.usr })
  return result
}

function checkSame(a: Predictions, b: Predictions): void {
  const equal = (x: Uint8Array | Int32Array, y: Uint8Array | Int32Array) =>
    x.length === y.length && x.every((value, i) => value === y[i])
  if (equal(a.labels, b.labels) && equal(a.users, b.users)) return
  throw new UserError({
    id: 'runs-differ',
    what: `${a.label} and ${b.label} were tested on different impressions`,
    remedy: 'compare runs of the same data and split',
  })
}

/** Difference of the mean AUC over seeds, in every resample of users. */
function difference(a: Predictions, b: Predictions): Difference {
  checkSame(a, b)
  const meanAuc = ({ labels, users, scores }: Predictions) => {
    const ranked = scores.map((s) => rankRows(labels, s, users))
    return (weights: Int32Array) => mean(ranked.map((r) => weightedAuc(r, weights)))
  }
  const [ofA, ofB] = [meanAuc(a), meanAuc(b)]
  const { value, low, high, samples } = userBootstrap((weights) => ofA(weights) - ofB(weights), a.users)
  return { difference: value, low, high, samples }
}

function oracleOf({ config }: FinishedRun): number | undefined {
  const path = join(String((config['data'] as Tree)['root']), 'truth.json')
  if (!existsSync(path)) return undefined
  return (JSON.parse(readFileSync(path, 'utf8')) as { oracle_auc?: number }).oracle_auc
}

function meanOf(name: string, runs: readonly FinishedRun[], stage: string, metric: string): Record<string, number> {
  const values = runs
    .filter((run) => run.stage === stage && metric in run.metrics)
    .map((run) => Number(run.metrics[metric]))
  return values.length > 0 ? { [name]: mean(values) } : {}
}
