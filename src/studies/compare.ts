/** Compares click models: means over seeds, and the gain of each over the baseline with an interval. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../base/errors.js'
import { matching, readJson, readYaml } from '../base/ownFile.js'
import { isReplaced } from '../base/replaced.js'
import { recoverRunOf } from '../base/runStage.js'
import { ctrConfig } from '../config/ctr.js'
import type { ComparisonRow } from '../report/index.js'
import { differenceOf, mean, readPredictions, summaryOf } from './paired.js'

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
  /** Total time of all runs. */
  seconds: number
  /** AUC of the true click probabilities, if the data contain them (`mim sample`). */
  oracle_auc?: number
  baseline: string
  /** The baseline first, then by AUC. */
  rows: ComparisonRow[]
  /** Recall@10, mean over seeds: picture → title after stage 1, query → chosen item after C-SFT. */
  retrieval: { pretrain_recall10?: number; sft_recall10_before?: number; sft_recall10?: number }
}

const hasFile = (folder: string, name: string) => existsSync(join(folder, name))

/**
 * All finished runs in `folder` and below, by name.
 * @throws UserError `folder-missing`.
 */
export function findRuns(folder: string): FinishedRun[] {
  recover(folder)
  if (hasFile(folder, 'config.yaml') && hasFile(folder, 'metrics.json')) return [readRun(folder)]
  if (!existsSync(folder)) throw new UserError({ id: 'folder-missing', what: `${folder} does not exist` })
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !isReplaced(entry.name))
    .map(({ name }) => name)
    .sort(new Intl.Collator('en', { numeric: true }).compare)
    .flatMap((name) => findRuns(join(folder, name)))
}

/** Puts the earlier run back if a process was killed while it replaced it. */
function recover(folder: string): void {
  try {
    recoverRunOf(folder)
  } catch (error) {
    // A run that is being replaced is not finished.
    if (!(error instanceof UserError)) throw error
  }
}

const tree = z.record(z.string(), z.unknown())
const table = z.union([z.string(), z.array(z.string())]).nullish()
/** What is read of the configuration of a click model. */
const clickConfig = z.looseObject({ data: z.looseObject({ root: z.string(), embeddings: table }) })
const recovery = { remedy: 'run the stage again, or leave this folder out' }

/** @throws UserError `file-broken` */
function readRun(folder: string): FinishedRun {
  const config = configIn(folder)
  const metrics = readJson(join(folder, 'metrics.json'), tree, recovery)
  const stage = String(config['stage'])
  return { folder, stage, config, metrics }
}

/**
 * Compares the click models among `runs`. The baseline is the first model without content (din), else the first.
 * @throws UserError `runs-missing` without a run of `mim ctr`, `runs-differ` if test impressions differ, `file-broken`.
 */
export async function compareRuns(runs: readonly FinishedRun[]): Promise<Comparison> {
  const ofClicks = runs.filter(({ stage }) => stage === 'ctr')
  for (const { folder, config } of ofClicks) matching(join(folder, 'config.yaml'), config, clickConfig, recovery)
  const groups = grouped(ofClicks)
  if (groups.length === 0) {
    const others = [...new Set(runs.map(({ stage }) => stage))].join(', ')
    throw new UserError({
      id: 'runs-missing',
      what: `no finished run of mim ctr was found${others ? `, only of mim ${others}` : ''}`,
      remedy: 'run mim ctr first',
    })
  }
  const baseline = groups.find(({ runs: [run] }) => run.metrics['model'] === 'din') ?? groups[0]
  const base = await readPredictions(nameOf(baseline), folders(baseline))
  const rows: ComparisonRow[] = []
  for (const group of groups) {
    const { model, vectors } = group
    const row = { model, vectors, ...summaryOf(group.runs) }
    if (group === baseline) rows.push(row)
    else {
      const own = await readPredictions(nameOf(group), folders(group))
      rows.push({ ...row, over_baseline: differenceOf('auc', own, base) })
    }
  }
  const oracle = oracleOf(groups[0].runs[0])
  return {
    engine: [...new Set(runs.flatMap(({ metrics }) => metrics['engine'] ?? []))].join(', '),
    seconds: runs.reduce((total, { metrics }) => total + Number(metrics['seconds'] ?? 0), 0),
    ...(oracle === undefined ? {} : { oracle_auc: oracle }),
    baseline: nameOf(baseline),
    rows: rows.sort((a, b) => Number('over_baseline' in a) - Number('over_baseline' in b) || a.auc - b.auc),
    retrieval: {
      ...meanOf('pretrain_recall10', runs, 'pretrain', 'after_image_to_title_recall_10'),
      ...meanOf('sft_recall10_before', runs, 'sft', 'before_recall_10'),
      ...meanOf('sft_recall10', runs, 'sft', 'after_recall_10'),
    },
  }
}

/** Runs of one model with the same options on one kind of vectors: one run per seed. */
interface Group {
  model: string
  vectors: string
  runs: FinishedRun[]
}

const nameOf = ({ model, vectors }: Group) => `${model} (${vectors})`

/** Groups in order of appearance. If groups of one model differ in options, their names contain these options. */
function grouped(runs: readonly FinishedRun[]): Group[] {
  const alike = new Map<string, FinishedRun[]>()
  for (const run of runs) {
    const key = JSON.stringify([run.metrics['model'], vectorsOf(run)])
    alike.set(key, [...(alike.get(key) ?? []), run])
  }
  return [...alike.values()].flatMap((same) => {
    const options = same.map(optionsOf)
    const paths = [...new Set(options.flatMap((each) => [...each.keys()]))]
    const varying = paths.filter((path) => new Set(options.map((each) => each.get(path))).size > 1)
    const groups = new Map<string, Group>()
    for (const [i, run] of same.entries()) {
      const variant = varying.map((path) => `, ${path} ${options[i].get(path) ?? '–'}`).join('')
      const model = `${run.metrics['model']}${variant}`
      groups.set(model, { model, vectors: vectorsOf(run), runs: [...(groups.get(model)?.runs ?? []), run] })
    }
    return [...groups.values()]
  })
}

/** Options of model and training by path, as text; options newer than the run have their defaults. */
function optionsOf({ config: { stage: _, ...written } }: FinishedRun): Map<string, string> {
  const config: Tree = ctrConfig.safeParse(written).data ?? written
  const flat = (tree: unknown, path: string): [string, string][] =>
    typeof tree === 'object' && tree !== null && !Array.isArray(tree)
      ? Object.entries(tree).flatMap(([key, value]) => flat(value, `${path}.${key}`))
      : [[path, JSON.stringify(tree)]]
  return new Map([...flat(config['model'], 'model'), ...flat(config['train'], 'train')])
}

/** Names content vectors by the stage that trained their encoder. */
function vectorsOf({ metrics, config }: FinishedRun): string {
  const tables = (config['data'] as Tree)['embeddings'] as string | string[] | null
  if (metrics['model'] === 'din' || !tables) return 'none'
  return [tables].flat().map(originOf).join(' + ')
}

function originOf(table: string): string {
  const run = dirname(table)
  // A table of unknown origin is a kind of its own.
  if (!hasFile(run, 'config.yaml')) return table
  const checkpoint = String(configIn(run)['checkpoint'])
  const encoder = dirname(checkpoint)
  if (!hasFile(encoder, 'config.yaml')) return basename(checkpoint)
  const stage = String(configIn(encoder)['stage'])
  return { pretrain: 'stage 1', sft: 'C-SFT' }[stage] ?? stage
}

/** The configuration of the run in `folder`. @throws UserError `file-broken` */
function configIn(folder: string): Tree {
  return readYaml(join(folder, 'config.yaml'), recovery)
}

const folders = ({ runs }: Group) => runs.map(({ folder }) => folder)

function oracleOf({ config }: FinishedRun): number | undefined {
  const path = join(String((config['data'] as Tree)['root']), 'truth.json')
  if (!existsSync(path)) return undefined
  const remedy = 'generate the data set again with mim sample, or remove the file'
  return readJson(path, z.looseObject({ oracle_auc: z.number().optional() }), { remedy }).oracle_auc
}

function meanOf(name: string, runs: readonly FinishedRun[], stage: string, metric: string): Record<string, number> {
  const values = runs
    .filter((run) => run.stage === stage && metric in run.metrics)
    .map((run) => Number(run.metrics[metric]))
  return values.length > 0 ? { [name]: mean(values) } : {}
}
