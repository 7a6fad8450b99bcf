/** The report of `mim compare`: click models side by side. */
import { type Difference, labelOf, meaningOf, metricOf } from '../../metrics/index.js'
import { type BarPlot, barPlot } from '../charts/bars.js'
import { exact } from '../charts/scale.js'
import { h, type Markup } from '../markup.js'
import { type Cell, type Fact, page, plots, section, table } from '../page.js'
import { capitalized } from '../text.js'

export const comparedMetrics = ['auc', 'gauc', 'logloss', 'auc_unseen', 'auc_rare'] as const
export type ComparedMetric = (typeof comparedMetrics)[number]

/** One model on one kind of vectors: means over seeds and, as `…_sd`, their sample standard deviations. */
export type ComparisonRow = {
  model: string
  /** What made the content vectors; `none` for a model of ids. */
  vectors: string
  seeds: number
  /** AUC minus the AUC of the baseline on the same impressions, with a 95 % interval over users. */
  over_baseline?: Difference
} & Record<ComparedMetric | `${ComparedMetric}_sd`, number>

export interface ComparisonOptions {
  title?: string
  facts?: readonly Fact[]
  /** AUC of the true click probabilities, where the data contain them. */
  oracle?: number
  /** Model that the others are compared with; default `din`, which has no content. */
  baseline?: string
}

/** A page of charts and a table; any number of rows, also none. */
export function comparisonReport(rows: readonly ComparisonRow[], options: ComparisonOptions = {}): string {
  const { title = 'Comparison of click models', facts = [], oracle, baseline: name = 'din' } = options
  const baseline = rows.find(({ model }) => model === name)
  const against = baseline ? nameOf(baseline) : undefined
  const [first, ...others] = comparedMetrics
  const whiskers = 'whiskers show the standard deviation over seeds.'
  return page({
    title,
    facts,
    content: [
      section(
        'From random to oracle',
        `Bars start at the AUC of random scores, 0.5; ${whiskers}`,
        plots(barsOf(rows, first, { wide: true, marks: marks(baseline, oracle) })),
      ),
      section(
        against ? `Gain over ${against}` : 'Other metrics',
        against ? `Bars start at the value of ${against}; ${whiskers}` : undefined,
        plots((against ? comparedMetrics : others).map((metric) => barsOf(rows, metric, { base: baseline?.[metric] }))),
      ),
      section('All results', undefined, tableOf(rows, oracle)),
    ],
  })
}

function barsOf(rows: readonly ComparisonRow[], metric: ComparedMetric, options: Partial<BarPlot>): Markup {
  const { label, chance = 0 } = metricOf(metric)!
  return barPlot({
    title: capitalized(label),
    hint: meaningOf(metric),
    series: [label],
    groups: rows.map((row) => ({
      label: nameOf(row),
      bars: [{ value: row[metric], deviation: row[`${metric}_sd`] }],
    })),
    ...options,
    base: options.base ?? chance,
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
      return [metric, metricOf(metric)!.better === 'less' ? Math.min(...values) : Math.max(...values)]
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
    ...comparedMetrics.map((metric) => number(labelOf(metric))),
    number('AUC − baseline'),
  ]
  const note = h('p', {}, `Oracle AUC (scores by the true click probabilities): ${exact(oracle ?? Number.NaN)}`)
  return h('div', {}, table(header, body), oracle !== undefined && note)
}

const signed = (x: number) => (x > 0 ? `+${exact(x)}` : exact(x))
const interval = ({ low, high }: { low: number; high: number }) => `${signed(low)} to ${signed(high)}`
