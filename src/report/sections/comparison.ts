/** Click models side by side. */
import type { Difference } from '../../metrics/index.js'
import { barPlot } from '../charts/bars.js'
import { exact } from '../charts/scale.js'
import { h, type Markup } from '../markup.js'
import { type Cell, type Fact, page, plots, section, table } from '../page.js'

export const comparedMetrics = ['auc', 'gauc', 'logloss', 'auc_unseen', 'auc_rare'] as const
export type ComparedMetric = (typeof comparedMetrics)[number]

const named: Record<ComparedMetric, { label: string; hint: string; guessing: number }> = {
  auc: { label: 'AUC', hint: 'a click ranked above a non-click', guessing: 0.5 },
  gauc: { label: 'GAUC', hint: 'the same inside each user', guessing: 0.5 },
  logloss: { label: 'Log loss', hint: 'surprise at what was clicked: to the left is better', guessing: 0 },
  auc_unseen: { label: 'AUC, unseen items', hint: 'items that training never showed', guessing: 0.5 },
  auc_rare: { label: 'AUC, rare items', hint: 'items that training seldom showed', guessing: 0.5 },
}

/** One model on one kind of vectors: means over seeds and, as `…_sd`, their sample standard deviations. */
export type ComparisonRow = {
  model: string
  /** What made the content vectors; `none` for a model of ids. */
  vectors: string
  seeds: number
  /** AUC minus that of the baseline on the same impressions, with a 95 % interval over users. */
  over_baseline?: Difference
} & Record<ComparedMetric | `${ComparedMetric}_sd`, number>

export interface ComparisonOptions {
  title?: string
  facts?: readonly Fact[]
  /** AUC of one who knows the truth behind the data, where they tell it. */
  oracle?: number
  /** Model that the others are held against; default `din`, which has no content. */
  baseline?: string
}

/** A page of bars and a table; any number of rows, also none. */
export function comparisonReport(rows: readonly ComparisonRow[], options: ComparisonOptions = {}): string {
  const { title = 'Click models compared', facts = [], oracle, baseline: name = 'din' } = options
  const baseline = rows.find(({ model }) => model === name)
  const against = baseline ? nameOf(baseline) : undefined
  const bars = (metric: ComparedMetric, base: number | undefined, wide: boolean) =>
    barPlot({
      title: named[metric].label,
      hint: named[metric].hint,
      wide,
      series: [named[metric].label],
      base: base ?? named[metric].guessing,
      groups: rows.map((row) => ({
        label: nameOf(row),
        bars: [{ value: row[metric], deviation: row[`${metric}_sd`] }],
      })),
      marks: wide ? marks(baseline, oracle) : [],
    })
  const [first, ...others] = comparedMetrics
  return page({
    title,
    facts,
    content: [
      section(
        'From guessing to the truth',
        'Bars start at guessing, 0.5; whiskers are the standard deviation over seeds.',
        plots(bars(first, undefined, true)),
      ),
      section(
        against ? `What is gained over ${against}` : 'The other measures',
        against ? `Bars start at ${against}; whiskers are the standard deviation over seeds.` : undefined,
        plots((against ? comparedMetrics : others).map((metric) => bars(metric, baseline?.[metric], false))),
      ),
      section('All figures', undefined, tableOf(rows, oracle)),
    ],
  })
}

const nameOf = ({ model, vectors }: ComparisonRow) => (vectors === 'none' ? model : `${model}, ${vectors}`)

function marks(baseline: ComparisonRow | undefined, oracle: number | undefined) {
  return [
    ...(baseline ? [{ value: baseline.auc, label: `${nameOf(baseline)} ${exact(baseline.auc)}` }] : []),
    ...(oracle === undefined ? [] : [{ value: oracle, label: `oracle ${exact(oracle)}` }]),
  ]
}

function tableOf(rows: readonly ComparisonRow[], oracle: number | undefined): Markup {
  const best = Object.fromEntries(
    comparedMetrics.map((metric) => {
      const values = rows.map((row) => row[metric]).filter(Number.isFinite)
      return [metric, metric === 'logloss' ? Math.min(...values) : Math.max(...values)]
    }),
  )
  const number = (text: string, small?: string): Cell => ({ text, small, style: 'number' })
  const body = rows.map((row): Cell[] => [
    { text: row.model },
    { text: row.vectors },
    number(String(row.seeds)),
    ...comparedMetrics.map((metric): Cell => {
      const deviation = row.seeds > 1 ? row[`${metric}_sd`] : undefined
      const cell = number(exact(row[metric]), deviation === undefined ? undefined : `± ${exact(deviation)}`)
      return row[metric] === best[metric] ? { ...cell, style: 'number best' } : cell
    }),
    row.over_baseline ? number(signed(row.over_baseline.difference), interval(row.over_baseline)) : number(''),
  ])
  const header = [
    { text: 'model' },
    { text: 'vectors' },
    number('seeds'),
    ...comparedMetrics.map((metric) => number(named[metric].label)),
    number('AUC over baseline'),
  ]
  const truth = h('p', {}, `Oracle AUC, of one who knows every taste: ${exact(oracle ?? Number.NaN)}`)
  return h('div', {}, table(header, body), oracle !== undefined && truth)
}

const signed = (x: number) => (x > 0 ? `+${exact(x)}` : exact(x))
const interval = ({ low, high }: { low: number; high: number }) => `${signed(low)} to ${signed(high)}`
