/** The report of a run: results, learning curves, and the sections of the stage. */
import { stringify } from 'yaml'
import { labelOf, meaningOf, splitName, type Variant, variants } from '../metrics/index.js'
import { curvesSection, type HistoryRow } from './charts/curves.js'
import { duration, exact } from './charts/scale.js'
import { type Child, h } from './markup.js'
import { page, section, type Tile, table } from './page.js'
import { dataSection, warningsSection } from './sections/data.js'

export interface RunSummary {
  stage: string
  /** Run folder as given by the user. */
  folder: string
  finished: Date
  config: Readonly<Record<string, unknown>>
  metrics: Readonly<Record<string, unknown>>
  history: readonly HistoryRow[]
  /** Charts and galleries of the stage. */
  sections: readonly Child[]
  /** Facts of the data by name, and warnings in full sentences. */
  data?: readonly (readonly [name: string, value: string])[]
  warnings?: readonly string[]
}

const titles: Record<string, string> = {
  pretrain: 'Pretraining on the catalogue',
  sft: 'C-SFT: vectors aligned with behavior',
  embed: 'Content vectors',
  ctr: 'Click model',
}

/** Metrics in large type, by stage. */
const headlines: Record<string, readonly string[]> = {
  pretrain: ['image_to_title_recall_10', 'title_to_image_recall_10', 'image_to_title_median_rank', 'view_recall_1'],
  sft: ['recall_10', 'recall_50', 'recall_10_unseen'],
  embed: ['items', 'computed', 'items_per_second'],
  ctr: ['auc', 'gauc', 'logloss', 'auc_unseen'],
}

export function stageReport(summary: RunSummary): string {
  const { stage, folder, finished, config, metrics, history, sections, data = [], warnings = [] } = summary
  const { model, engine, provider, seconds, best_step: bestStep } = metrics
  const root = (config['data'] as { root?: unknown } | undefined)?.root
  const known = (value: unknown) => (value === undefined ? undefined : String(value))
  const title = `${titles[stage] ?? stage}${model === undefined ? '' : ` · ${model}`}`
  return page({
    title,
    facts: [
      ['stage', `mim ${stage}`],
      ['run', folder],
      ['finished', `${finished.toISOString().slice(0, 16).replace('T', ' ')} UTC`],
      ['duration', typeof seconds === 'number' ? duration(seconds) : undefined],
      ['engine', known(engine ?? provider)],
      ['data', known(root)],
      ['seed', known(config['seed'])],
    ],
    tiles: tiles(stage, metrics),
    content: [
      warningsSection(warnings),
      sections,
      curvesSection(history, typeof bestStep === 'number' ? bestStep : undefined),
      dataSection(data),
      resultsSection(metrics),
      h('details', {}, h('summary', {}, 'configuration'), h('pre', {}, stringify(config))),
    ],
  })
}

function tiles(stage: string, metrics: RunSummary['metrics']): Tile[] {
  return (headlines[stage] ?? []).flatMap((name) => {
    const value = metrics[`after_${name}`] ?? metrics[name]
    if (typeof value !== 'number') return []
    const [label, before] = [labelOf(name), metrics[`before_${name}`]]
    return [{ value: exact(value), label: typeof before === 'number' ? `${label}; before ${exact(before)}` : label }]
  })
}

/** Every number and word of `metrics.json`, its variants side by side; lists and trees are left to the charts. */
function resultsSection(metrics: RunSummary['metrics']): Child {
  const rows = new Map<string, Partial<Record<Variant, string>>>()
  for (const [name, value] of Object.entries(metrics)) {
    if (typeof value === 'object' && value !== null) continue
    const { variant = 'after', metric } = splitName(name)
    const text = typeof value === 'number' || value === null ? exact(value ?? Number.NaN) : String(value)
    rows.set(metric, { ...rows.get(metric), [variant]: text })
  }
  if (rows.size === 0) return undefined
  const columns = (Object.keys(variants) as Variant[]).filter((v) => [...rows.values()].some((row) => v in row))
  const header = [
    { text: '' },
    ...columns.map((variant) => ({ text: variants[variant], style: 'number' as const })),
    { text: 'meaning', style: 'meaning' as const },
  ]
  const body = [...rows].map(([metric, row]) => [
    { text: metric },
    ...columns.map((variant) => ({ text: row[variant] ?? '', style: 'number' as const })),
    { text: meaningOf(metric), style: 'meaning' as const },
  ])
  return section('All results', 'The names are those in metrics.json.', table(header, body))
}
