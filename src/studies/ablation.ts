/** What each part of C-SFT brings: everything on, then one part off at a time, each for several seeds. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Interrupted, UserError } from '../base/errors.js'
import { replaceFile, writeJson } from '../base/files.js'
import type { SftConfig } from '../config/sft.js'
import type { SourceName } from '../data/choices/sources/index.js'
import { writeRows } from '../data/tables/writeRows.js'
import { type Difference, meanInterval } from '../metrics/index.js'
import { lossTerms, type TermName } from '../models/sft/terms/index.js'
import type { LossTerm } from '../models/sft/terms/term.js'
import { interval, markdown, spread } from '../report/index.js'
import { sft } from '../stages/sft/stage.js'
import { type Metrics, Run } from '../train/run.js'
import { deviation, mean } from './paired.js'
import { slug } from './trial.js'

/** What can be taken away, by kind. */
export const ablations = ['negatives', 'levels', 'positives'] as const
export type Ablation = (typeof ablations)[number]

/** A row of the table: mean and deviation over seeds of each metric. */
export interface AblationRow {
  row: string
  seeds: number
  metrics: Record<string, { mean: number; deviation: number }>
  /** What the part brings: everything on minus this row, seed by seed, with the t interval of the mean. */
  effect?: Difference
}

export interface AblationTable {
  /** The metric that effects are told in. */
  metric: string
  rows: AblationRow[]
}

type Variant = { row: string; config: SftConfig }

/** The configuration as it is, and without each part of the kinds `of` that it has on. */
export function variants(config: SftConfig, of: readonly Ablation[]): Variant[] {
  const { negatives, levels, positives } = config
  const without = (row: string, isOn: boolean, changes: Partial<SftConfig>): Variant[] =>
    isOn ? [{ row: `without ${row}`, config: { ...config, ...changes } }] : []
  const pool = (row: string, isOn: boolean, changes: Partial<SftConfig['negatives']>) =>
    without(row, isOn, { negatives: { ...negatives, ...changes } })
  const level = ({ name, ablation, supervises, uses }: LossTerm) => {
    const others = lossTerms.some((other) => other.supervises && other.name !== name && levels[other.name] > 0)
    const isOn =
      levels[name as TermName] > 0 && (!supervises || others) && (uses === undefined || levels[uses].length > 0)
    return without(ablation, isOn, { levels: { ...levels, [name]: 0, ...(uses && { [uses]: [] }) } })
  }
  const { queue, hard, mineEvery, logQ } = negatives
  const source = (name: SourceName) => {
    const sources = positives.sources.filter((other) => other !== name)
    return without(name, sources.length > 0, { positives: { ...positives, sources } })
  }
  const rows: Record<Ablation, Variant[]> = {
    negatives: [
      ...pool('time negatives', queue > 0, { queue: 0 }),
      ...pool('hard negatives', hard > 0, { hard: 0 }),
      ...pool('mined negatives', mineEvery > 0, { mineEvery: 0 }),
      ...pool('time and hard negatives', queue > 0 && hard > 0, { queue: 0, hard: 0 }),
      ...pool('log q correction', logQ, { logQ: false }),
    ],
    levels: lossTerms.flatMap(level),
    positives: positives.sources.flatMap(source),
  }
  return [{ row: 'everything', config }, ...of.flatMap((kind) => rows[kind])]
}

/**
 * Trains what is not trained yet, in folders below `out`, then writes ablation.json, ablation.md and ablation.parquet
 * there.
 * @throws UserError `ablation-few` where nothing can be taken away, and what `mim sft` throws.
 */
export async function ablate(
  config: SftConfig,
  of: readonly Ablation[],
  seeds: readonly number[],
  out: string,
  say: (line: string) => void,
): Promise<AblationTable> {
  const planned = variants(config, of)
  if (planned.length === 1) {
    const what = `no part of ${of.join(', ')} can be taken away`
    throw new UserError({ id: 'ablation-few', what, expected: 'a configuration with several parts on' })
  }
  const results = planned.map((): Metrics[] => [])
  let done = 0
  let table: AblationTable | undefined
  // Seed by seed, so that a table of few seeds is there early.
  for (const seed of seeds) {
    for (const [i, { row, config: each }] of planned.entries()) {
      say(`ablation: run ${++done} of ${planned.length * seeds.length}: ${row}, seed ${seed}`)
      const folder = join(out, 'runs', slug(row), `seed-${seed}`)
      results[i].push(await runOrFind(folder, { ...each, seed }, out))
    }
    const names = planned.map(({ row }) => row)
    table = tableOf(names, results)
    await publish(out, table)
  }
  return table!
}

async function runOrFind(folder: string, config: SftConfig, out: string): Promise<Metrics> {
  try {
    return await Run.with({ out: folder, stage: 'sft', config, resume: true }, async (run) => {
      if (run.finished) return run.finished
      const metrics = await sft(config, run)
      await run.finish(metrics)
      return metrics
    })
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    throw new Interrupted(`what was reached is kept; go on with: mim sft --ablate … --out ${out}`)
  }
}

/** Metrics that the table shows, as far as the data have them. */
const shown =
  /^(recall_(10|50)|recall_10_(query|image|text|product|unseen|query_unseen)|mrr|title_to_image_recall_10|category_purity_10|mean_cosine)$/

/** The rows by name with the metrics of their runs, seed by seed; the first one has everything on. */
export function tableOf(names: readonly string[], results: readonly (readonly Metrics[])[]): AblationTable {
  const [everything] = results
  const measured = Object.keys(everything[0])
    .filter((name) => name.startsWith('after_'))
    .map((name) => name.slice('after_'.length))
    .filter((name) => shown.test(name))
  const metric = measured.includes('recall_10_query') ? 'recall_10_query' : 'recall_10'
  const of = (runs: readonly Metrics[], when: 'before' | 'after', name: string) =>
    runs.map((run) => Number(run[`${when}_${name}`] ?? Number.NaN))
  const row = (name: string, runs: readonly Metrics[], when: 'before' | 'after'): AblationRow => ({
    row: name,
    seeds: runs.length,
    metrics: Object.fromEntries(
      measured.map((metric) => {
        const values = of(runs, when, metric)
        return [metric, { mean: mean(values), deviation: deviation(values) }]
      }),
    ),
  })
  const effect = (runs: readonly Metrics[], when: 'before' | 'after') => {
    const others = of(runs, when, metric)
    const { value, low, high } = meanInterval(of(everything, 'after', metric).map((own, i) => own - others[i]))
    return { difference: value, low, high, samples: runs.length }
  }
  const parts = names.map((name, i) => ({
    ...row(name, results[i], 'after'),
    ...(i > 0 ? { effect: effect(results[i], 'after') } : {}),
  }))
  return {
    metric,
    rows: [{ ...row('stage 1', everything, 'before'), effect: effect(everything, 'before') }, ...parts],
  }
}

async function publish(out: string, table: AblationTable): Promise<void> {
  await writeJson(join(out, 'ablation.json'), table)
  await replaceFile(join(out, 'ablation.md'), (temporary) => writeFileSync(temporary, ablationText(table)))
  const flat = table.rows.map(({ row, seeds, metrics, effect }) => ({
    row,
    seeds,
    ...Object.fromEntries(
      Object.entries(metrics).flatMap(([name, { mean, deviation }]) => [
        [name, mean],
        [`${name}_sd`, deviation],
      ]),
    ),
    effect: effect?.difference ?? null,
    effect_low: effect?.low ?? null,
    effect_high: effect?.high ?? null,
  }))
  await writeRows(join(out, 'ablation.parquet'), flat)
}

/** The table in Markdown. */
export function ablationText({ metric, rows }: AblationTable): string {
  const names = Object.keys(rows[0].metrics)
  const header = ['', 'seeds', ...names, `everything − row, ${metric} [95 % of seeds]`]
  const body = rows.map(({ row, seeds, metrics, effect }) => [
    row,
    String(seeds),
    ...names.map((name) => spread(metrics[name].mean, metrics[name].deviation, seeds)),
    effect ? interval(effect) : '',
  ])
  return markdown([header, ...body])
}
