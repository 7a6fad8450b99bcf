import { barPlot } from '../charts/bars.js'
import type { Markup } from '../markup.js'
import { plots, section } from '../page.js'

/** Numbers of items by the modalities of their vectors. */
export interface Modalities {
  both: number
  picture_only: number
  title_only: number
  /** Items without a vector. */
  skipped: number
}

export function modalitiesSection({ both, picture_only, title_only, skipped }: Modalities): Markup {
  const bars: [string, number][] = [
    ['picture and title', both],
    ['picture only', picture_only],
    ['title only', title_only],
    ['neither (skipped)', skipped],
  ]
  const plot = barPlot({
    title: 'Modalities of the vectors',
    hint: 'number of items',
    series: ['items'],
    groups: bars.map(([label, value]) => ({ label, bars: [{ value }] })),
    wide: true,
  })
  return section('Items', undefined, plots(plot))
}
