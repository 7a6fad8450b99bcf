/** Ablation study of C-SFT: the full configuration, then one part off at a time, each with several seeds. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Interrupted, UserError } from '../base/errors.js'
import { replaceFile, writeJson } from '../base/files.js'
import { Lock } from '../base/processes/lock.js'
import { type SftConfig, sftConfig } from '../config/sft.js'
import { writeRows } from '../data/tables/writeRows.js'
import { type Difference, meanInterval } from '../metrics/index.js'
import { lossTerms, type TermName } from '../models/sft/terms/index.js'
import type { LossTerm } from '../models/sft/terms/term.js'
import { interval, markdown, spread } from '../report/index.js'
import { sft } from '../stages/sft/stage.js'
import { sftInputs } from '../stages/shared/inputs.js'
import { type Metrics, Run } from '../train/run.js'
import { deviation, mean } from './paired.js'
import { inputsRemedy, slug } from './trial.js'

/** Kinds of parts that an ablation switches off. */
export const ablations = ['negatives', 'levels', 'positives'] as const
export type Ablation = (typeof ablations)[number]

/** A row of the table: mean and sample standard deviation over seeds of each metric. */
export interface AblationRow {
  row: string
  seeds: number
  metrics: Record<string, { mean: number; deviation: number }>
  /** Full configuration minus this row, paired by seed: the mean difference with its t interval. */
  effect?: Difference
}

export interface AblationTable {
  /** The metric of the effects. */
  metric: string
  rows: AblationRow[]
}

type Variant = { row: string; config: SftConfig }

/** The full configuration, then a variant without each part of the given kinds that is on in it. */
export function variants(config: SftConfig, kinds: readonly Ablation[]): Variant[] {
  return [{ row: 'everything', config }, ...kinds.flatMap((kind) => variantsOf[kind](config))]
}

const variantsOf: Record<Ablation, (config: SftConfig) => Variant[]> = {
  negatives: withoutNegatives,
  levels: withoutTerms,
  positives: withoutSources,
}

const variant = (row: string, isOn: boolean, config: SftConfig): Variant[] =>
  isOn ? [{ row: `without ${row}`, config }] : []

function withoutNegatives(config: SftConfig): Variant[] {
  const { queue, hard, mineEvery, logQ } = config.negatives
  const without = (row: string, isOn: boolean, changes: Partial<SftConfig['negatives']>) =>
    variant(row, isOn, { ...config, negatives: { ...config.negatives, ...changes } })
  return [
    ...without('time negatives', queue > 0, { queue: 0 }),
    ...without('hard negatives', hard > 0, { hard: 0 }),
    ...without('mined negatives', mineEvery > 0, { mineEvery: 0 }),
    ...without('time and hard negatives', queue > 0 && hard > 0, { queue: 0, hard: 0 }),
    ...without('log q correction', logQ, { logQ: false }),
  ]
}

/** Without a term of the loss. One that draws queries to targets must be left. */
function withoutTerms(config: SftConfig): Variant[] {
  const { levels } = config
  const supervising = lossTerms.filter(({ name, supervises }) => supervises && levels[name] > 0)
  return lossTerms.flatMap((term: LossTerm) => {
    const { name, ablation, uses } = term
    const isLast = supervising.every((other) => other === term)
    const isOn = levels[name as TermName] > 0 && !(term.supervises && isLast) && (!uses || levels[uses].length > 0)
    return variant(ablation, isOn, { ...config, levels: { ...levels, [name]: 0, ...(uses && { [uses]: [] }) } })
  })
}

function withoutSources(config: SftConfig): Variant[] {
  const { positives } = config
  return positives.sources.flatMap((name) => {
    const sources = positives.sources.filter((other) => other !== name)
    return variant(name, sources.length > 0, { ...config, positives: { ...positives, sources } })
  })
}

/**
 * Trains all variants for all seeds in folders below `out`, except those that are trained already. Writes ablation.json,
 * ablation.md and ablation.parquet to `out` after each seed.
 * @throws UserError `ablation-few` if no part can be switched off, `folder-locked`, and those of `mim sft`.
 */
export async function ablate(
  config: SftConfig,
  kinds: readonly Ablation[],
  seeds: readonly number[],
  out: string,
  say: (line: string) => void,
): Promise<AblationTable> {
  const planned = variants(config, kinds)
  if (planned.length === 1) {
    const what = `no part of ${kinds.join(', ')} can be switched off`
    throw new UserError({ id: 'ablation-few', what, expected: 'a configuration in which several parts are on' })
  }
  using _lock = Lock.folder(out)
  const results = planned.map((): Metrics[] => [])
  let done = 0
  let table: AblationTable | undefined
  // Seed by seed, so that there is a table of few seeds early.
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
    const inputs = { inputs: sftInputs(config), changedRemedy: inputsRemedy }
    const options = { out: folder, stage: 'sft', config, schema: sftConfig, resume: true, ...inputs }
    return await Run.with(options, async (run) => {
      if (run.finished) return run.finished
      return run.finish(await sft(config, run))
    })
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    throw new Interrupted(`finished runs are kept; continue with: mim sft --ablate … --out ${out}`)
  }
}

/** Metrics of the table; those that the runs do not have are left out. */
const shown =
  /^(recall_(10|50)|recall_10_(query|image|text|product|unseen|query_unseen)|mrr|title_to_image_recall_10|category_purity_10|mean_cosine)$/

/** The table of rows by name; `results` are the metrics of their runs by seed. The first row is the full configuration. */
export function tableOf(names: readonly string[], results: readonly (readonly Metrics[])[]): AblationTable {
  const [everything] = results
  const measured = Object.keys(everything[0])
    .filter((name) => name.startsWith('after_'))
    .map((name) => name.slice('after_'.length))
    .filter((name) => shown.test(name))
  const metric = measured.includes('recall_10_query') ? 'recall_10_query' : 'recall_10'
  const valuesOf = (runs: readonly Metrics[], when: 'before' | 'after', name: string) =>
    runs.map((run) => Number(run[`${when}_${name}`] ?? Number.NaN))
  const row = (name: string, runs: readonly Metrics[], when: 'before' | 'after'): AblationRow => ({
    row: name,
    seeds: runs.length,
    metrics: Object.fromEntries(
      measured.map((metric) => {
        const values = valuesOf(runs, when, metric)
        return [metric, { mean: mean(values), deviation: deviation(values) }]
      }),
    ),
  })
  const effect = (runs: readonly Metrics[], when: 'before' | 'after') => {
    const others = valuesOf(runs, when, metric)
    const { value, low, high } = meanInterval(valuesOf(everything, 'after', metric).map((own, i) => own - others[i]))
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
