/** Learning curves from the history of a run. */

import type { Child } from '../markup.js'
import { plots, section } from '../page.js'
import { linePlot } from './lines.js'
import { exact } from './scale.js'

export type HistoryRow = { step: number } & Readonly<Record<string, number>>

/** Courses of a step rather than results of an evaluation, and how to read them. */
const courses: Record<string, { title: string; hint: string }> = {
  loss: { title: 'Training loss', hint: 'what the optimizer makes small' },
  learning_rate: { title: 'Learning rate', hint: 'rises in the warm-up, then falls' },
  samples_per_second: { title: 'Speed', hint: 'rows of data learned from in a second' },
}
/** In the history, and of little use as a picture. */
const left = new Set(['step', 'data_wait_share'])

/** Nothing without a history. */
export function curvesSection(history: readonly HistoryRow[], bestStep?: number): Child {
  const names = [...new Set(history.flatMap((row) => Object.keys(row)))].filter((name) => !left.has(name))
  if (names.length === 0) return undefined
  const pointsOf = (name: string) =>
    history.filter((row) => name in row).map((row) => [row.step, row[name]] as [number, number])
  const families = new Map<string, { name: string; label: string }[]>()
  for (const name of names) {
    const { family, label } = familyOf(name)
    families.set(family, [...(families.get(family) ?? []), { name, label }])
  }
  const order = (family: string) =>
    ['loss', '', 'learning_rate', 'samples_per_second'].indexOf(family in courses ? family : '')
  const sorted = [...families].sort(([a], [b]) => order(a) - order(b))
  const figures = sorted.map(([family, members]) => {
    const alone = members.length === 1
    const { title, hint } = courses[family] ?? {
      title: spoken(family),
      hint: alone ? keptOf(members[0].name) : undefined,
    }
    return linePlot({
      title,
      hint,
      xLabel: 'step',
      yLabel: '',
      series: members.map(({ name, label }) => ({
        label: alone ? label : `${label} ${keptOf(name)}`,
        points: pointsOf(name),
      })),
      marks: bestStep === undefined ? [] : [{ x: bestStep, label: `kept: step ${bestStep}` }],
      xRange: [0, history[history.length - 1].step],
    })
  })
  const hint = 'Left to right is training; the dashed line is the model that was kept, and the numbers are its own.'
  return section('Learning curves', hint, plots(figures))

  /** The value where the model was kept, else the last one. */
  function keptOf(name: string): string {
    const points = pointsOf(name)
    return exact((points.find(([step]) => step === bestStep) ?? points[points.length - 1])[1])
  }
}

/** Metrics that share a picture: recall@k for several k, one recall for several kinds, AUC and GAUC. */
function familyOf(name: string): { family: string; label: string } {
  const match = /^(.*_recall)_(\d+)$/.exec(name) ?? /^(.*_recall_\d+)_(\w+)$/.exec(name) ?? /^(.*_)(g?auc)$/.exec(name)
  if (!match) return { family: name, label: name }
  const [, family, rest] = match
  if (rest.endsWith('auc')) return { family: `${family}AUC`, label: rest.toUpperCase() }
  return { family, label: /^\d+$/.test(rest) ? `first ${rest}` : rest }
}

/** `valid_recall_10` as people say it: “Validation recall@10”. */
function spoken(name: string): string {
  const text = name
    .replace(/^valid_/, 'validation_')
    .replace('logloss', 'log_loss')
    .replace(/_(\d+)(?=_|$)/, '@$1')
    .replaceAll('_', ' ')
  return text[0].toUpperCase() + text.slice(1)
}
