/** Learning curves from the history of a run. */
import { labelOf, metricOf, splitName, variants } from '../../metrics/index.js'
import type { Child } from '../markup.js'
import { plots, section } from '../page.js'
import { capitalized } from '../text.js'
import { linePlot } from './lines.js'
import { exact } from './scale.js'

export type HistoryRow = { step: number } & Readonly<Record<string, number>>

/** The metrics of one chart. */
interface Curves {
  title: string
  lines: { name: string; label: string }[]
}

/** Undefined without a history. */
export function curvesSection(history: readonly HistoryRow[], bestStep?: number): Child {
  const charts = chartsOf([...new Set(history.flatMap((row) => Object.keys(row)))])
  if (charts.length === 0) return undefined
  const pointsOf = (name: string) =>
    history.filter((row) => name in row).map((row) => [row.step, row[name]] as [number, number])
  /** The value of the best model, else the last one. */
  const bestOf = (name: string) => {
    const points = pointsOf(name)
    return exact((points.find(([step]) => step === bestStep) ?? points[points.length - 1])[1])
  }
  const figures = charts.map(({ title, lines }) => {
    const [{ name }] = lines
    const single = lines.length === 1
    return linePlot({
      title,
      hint: single ? (metricOf(name)?.ofSteps ? metricOf(name)!.meaning : bestOf(name)) : undefined,
      xLabel: 'step',
      yLabel: metricOf(name)?.unit ?? '',
      series: lines.map(({ name, label }) => ({
        label: single ? label : `${label} ${bestOf(name)}`,
        points: pointsOf(name),
      })),
      marks: bestStep === undefined ? [] : [{ x: bestStep, label: `kept: step ${bestStep}` }],
      xRange: [0, history[history.length - 1].step],
    })
  })
  const hint = 'The dashed line marks the best model, which is kept; numbers next to names are its values.'
  return section('Learning curves', hint, plots(figures))
}

/** Groups metrics by chart: the loss first, then evaluations, then how training went. */
function chartsOf(names: readonly string[]): Curves[] {
  const charts = new Map<string, Curves>()
  for (const name of names) {
    const chart = metricOf(name)?.chart
    if (chart === false) continue
    const { variant } = splitName(name)
    const [title, label] = chart ? [chart.title, chart.line] : [labelOf(name), labelOf(name)]
    const full = capitalized(variant ? `${variants[variant]} ${title}` : title)
    charts.set(full, { title: full, lines: [...(charts.get(full)?.lines ?? []), { name, label }] })
  }
  const order = ({ lines: [{ name }] }: Curves) =>
    name.startsWith('loss') ? 0 : !metricOf(name)?.ofSteps ? 1 : name === 'learning_rate' ? 2 : 3
  return [...charts.values()].sort((a, b) => order(a) - order(b))
}
