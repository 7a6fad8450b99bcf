import { type BarPlot, barPlot } from '../charts/bars.js'
import type { Markup } from '../markup.js'
import { plots, section } from '../page.js'

type Metrics = Readonly<Record<string, number>>

/** Names of results with what a reader calls them. */
const accuracies = [
  ['zero_shot_accuracy', 'picture, by prompts'],
  ['category_accuracy_image', 'picture, by neighbors'],
  ['category_accuracy_title', 'title, by neighbors'],
  ['category_accuracy_fused', 'both, by neighbors'],
] as const
const likenesses = [
  ['mean_cosine_image', 'pictures'],
  ['mean_cosine_title', 'titles'],
  ['mean_cosine_fused', 'both'],
] as const
const spreads = [
  ['uniformity_image', 'pictures'],
  ['uniformity_title', 'titles'],
  ['uniformity_fused', 'both'],
  ['alignment', 'picture to title'],
] as const

/** What the vectors of held-out items tell, before and after; `collapsed` names those that are all alike. */
export function judgedSection(before: Metrics, after: Metrics, collapsed: readonly string[]): Markup {
  const compared = (title: string, hint: string, names: readonly (readonly [string, string])[], more = {}) => {
    const plot: BarPlot = {
      title,
      hint,
      series: ['after', 'before'],
      reference: 1,
      groups: names
        .filter(([name]) => name in after)
        .map(([name, label]) => ({ label, bars: [{ value: after[name] }, { value: before[name] ?? Number.NaN }] })),
      ...more,
    }
    return plot.groups.length > 0 ? barPlot(plot) : undefined
  }
  const majority = { value: after['category_majority'] ?? Number.NaN, label: 'always the largest category' }
  return section(
    'What the vectors know',
    collapsed.length > 0
      ? `Collapsed: vectors of ${collapsed.join(' and ')} are nearly the same for all items.`
      : 'Items that training never saw.',
    plots(
      compared('Telling the category', 'share of right answers', accuracies, { marks: [majority] }),
      compared('Likeness of two random items', 'mean cosine; near 1 all vectors are the same', likenesses),
      compared(
        'Alignment and uniformity',
        'squared distance of picture and title; evenness of the spread; lower is better in both',
        spreads,
      ),
    ),
  )
}
