import { barPlot } from '../charts/bars.js'
import type { Markup } from '../markup.js'
import { plots, section } from '../page.js'

/** Recall of one task, e.g. picture → title: for each k before and after training. */
export interface RecallTask {
  title: string
  hint: string
  recalls: readonly { k: number; before: number; after: number }[]
}

/** How often the right one is among the first k, before and after: a plot for each task. */
export function recallSection(tasks: readonly RecallTask[]): Markup {
  const figures = tasks.map(({ title, hint, recalls }) =>
    barPlot({
      title,
      hint,
      series: ['after', 'before'],
      reference: 1,
      groups: recalls.map(({ k, before, after }) => ({
        label: `first ${k}`,
        bars: [{ value: after }, { value: before }],
      })),
      format: (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : '–'),
    }),
  )
  return section(
    'Finding the right one',
    'Share of queries whose right answer is among the first k found.',
    plots(figures),
  )
}
