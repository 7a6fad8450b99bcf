import { barPlot } from '../charts/bars.js'
import type { Markup } from '../markup.js'
import { plots, section } from '../page.js'

/** Recall@k before and after training for one task, e.g. picture → title. */
export interface RecallTask {
  title: string
  hint: string
  recalls: readonly { k: number; before: number; after: number }[]
}

/** A plot of recall@k before and after training for each task. */
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
  return section('Retrieval', 'Recall@k: share of queries with the right answer among the first k.', plots(figures))
}
