import { type BarPlot, barPlot } from '../charts/bars.js'
import type { Markup } from '../markup.js'
import { plots, section } from '../page.js'

type Metrics = Readonly<Record<string, number>>

/** Metrics of each chart with the labels of their bars. */
const accuracies = [
  ['zero_shot_accuracy', 'picture, by prompts (zero-shot)'],
  ['category_accuracy_image', 'picture, by neighbors'],
  ['category_accuracy_title', 'title, by neighbors'],
  ['category_accuracy_fused', 'both, by neighbors'],
] as const
const cosines = [
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

/** Quality of the vectors of held-out items before and after training; `collapsed` names the views that collapsed. */
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
  const majority = { value: after['category_majority'] ?? Number.NaN, label: 'largest category' }
  return section(
    'Quality of the vectors',
    collapsed.length > 0
      ? `Collapsed: the ${collapsed.join(' and ')} vectors are nearly the same for all items.`
      : 'Measured on held-out items.',
    plots(
      compared('Category accuracy', 'share of items with the right category', accuracies, { marks: [majority] }),
      compared('Mean cosine of two random items', 'near 1: collapsed, all vectors are the same', cosines),
      compared(
        'Alignment and uniformity',
        'mean squared distance of picture and title; spread over the sphere; lower is better in both',
        spreads,
      ),
    ),
  )
}
