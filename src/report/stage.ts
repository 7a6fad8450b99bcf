/** The report of a run: what came out, how it learned, and what the stage itself has to show. */
import { stringify } from 'yaml'
import { curvesSection, type HistoryRow } from './charts/curves.js'
import { duration, exact } from './charts/scale.js'
import { type Child, h } from './markup.js'
import { meaningOf } from './meanings.js'
import { page, section, type Tile, table } from './page.js'

export interface RunSummary {
  stage: string
  /** Run folder, as the person named it. */
  folder: string
  finished: Date
  config: Readonly<Record<string, unknown>>
  metrics: Readonly<Record<string, unknown>>
  history: readonly HistoryRow[]
  /** Plots and galleries of the stage. */
  sections: readonly Child[]
}

const titles: Record<string, string> = {
  pretrain: 'Pretraining on the catalogue',
  sft: 'C-SFT: vectors that follow behavior',
  embed: 'Representation Center',
  ctr: 'Click model',
}

/** Results in large type, by stage: the name of one, and what it is called. */
const headlines: Record<string, [name: string, label: string][]> = {
  pretrain: [
    ['image_to_title_recall_10', 'picture → title, recall@10'],
    ['title_to_image_recall_10', 'title → picture, recall@10'],
    ['image_to_title_median_rank', 'middle place of the right title'],
    ['view_recall_1', 'view → item, recall@1'],
  ],
  sft: [
    ['recall_10', 'query → chosen item, recall@10'],
    ['recall_50', 'recall@50'],
    ['recall_10_unseen', 'recall@10, unseen items'],
  ],
  embed: [
    ['items', 'items'],
    ['computed', 'vectors made'],
    ['items_per_second', 'items a second'],
  ],
  ctr: [
    ['auc', 'AUC'],
    ['gauc', 'GAUC'],
    ['logloss', 'log loss'],
    ['auc_unseen', 'AUC, unseen items'],
  ],
}

export function stageReport({ stage, folder, finished, config, metrics, history, sections }: RunSummary): string {
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
      ['took', typeof seconds === 'number' ? duration(seconds) : undefined],
      ['engine', known(engine ?? provider)],
      ['data', known(root)],
      ['seed', known(config['seed'])],
    ],
    tiles: tiles(stage, metrics),
    content: [
      sections,
      curvesSection(history, typeof bestStep === 'number' ? bestStep : undefined),
      resultsSection(metrics),
      h('details', {}, h('summary', {}, 'configuration'), h('pre', {}, stringify(config))),
    ],
  })
}

function tiles(stage: string, metrics: RunSummary['metrics']): Tile[] {
  return (headlines[stage] ?? []).flatMap(([name, label]) => {
    const value = metrics[`after_${name}`] ?? metrics[name]
    if (typeof value !== 'number') return []
    const before = metrics[`before_${name}`]
    return [{ value: exact(value), label: typeof before === 'number' ? `${label}; before ${exact(before)}` : label }]
  })
}

/** A result may exist several times: before training, after it, on the validation part, and by counting alone. */
const variants = [
  ['before_', 'before'],
  ['after_', 'result'],
  ['valid_', 'validation'],
  ['popularity_', 'by popularity'],
  ['cooccurrence_', 'by co-occurrence'],
] as const

/** Every number and name of `metrics.json`; lists in it are what plots are made of. */
function resultsSection(metrics: RunSummary['metrics']): Child {
  const rows = new Map<string, Partial<Record<string, string>>>()
  for (const [key, value] of Object.entries(metrics)) {
    if (typeof value === 'object' && value !== null) continue
    const [prefix, column] = variants.find(([p]) => key.startsWith(p)) ?? ['', 'result']
    const name = key.slice(prefix.length)
    const shown = typeof value === 'number' || value === null ? exact(value ?? Number.NaN) : String(value)
    rows.set(name, { ...rows.get(name), [column]: shown })
  }
  if (rows.size === 0) return undefined
  const columns = variants.map(([, column]) => column).filter((c) => [...rows.values()].some((row) => c in row))
  const header = [
    { text: '' },
    ...columns.map((text) => ({ text, style: 'number' as const })),
    { text: 'what it means', style: 'meaning' as const },
  ]
  const body = [...rows].map(([name, row]) => [
    { text: name },
    ...columns.map((c) => ({ text: row[c] ?? '', style: 'number' as const })),
    { text: meaningOf(name), style: 'meaning' as const },
  ])
  return section('All figures', 'Named as in metrics.json.', table(header, body))
}
