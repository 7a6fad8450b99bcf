/** Evaluation of the vectors of stage 1 on held-out items, the same items before and after training. */
import type { Items } from '../../data/items/items.js'
import {
  alignment,
  isCollapsed,
  majorityShare,
  meanPairwiseCosine,
  meanReciprocalRank,
  medianRank,
  nearestClassAccuracy,
  neighborAccuracy,
  ranksOfTargets,
  recallAtK,
  uniformity,
} from '../../metrics/index.js'
import type { Modalities } from './split.js'

/** The k of recall@k. */
export const recallPlaces = [1, 5, 10]

/** Neighbors that vote for an item's category. */
const neighbors = 10

/** Unit vectors [count, d] of the held-out items. Those of a modality that the catalogue lacks are ignored. */
export interface JudgedVectors {
  image: Float32Array
  text: Float32Array
  /** Content vectors: of the whole item, of its picture only, of its title only. */
  fused: Float32Array
  fromImage: Float32Array
  fromText: Float32Array
  /** Text vectors of the prompt of each category [categories, d]. */
  prompts: Float32Array | undefined
}

/**
 * Recall@{1, 5, 10}, median rank (1 is best) and mean reciprocal rank of row i of `to` for the query in row i of `from`,
 * among all rows. Both are [count, d]; the names of the metrics start with `name`.
 */
export function retrieval(name: string, from: Float32Array, to: Float32Array, count: number): Record<string, number> {
  const own = Int32Array.from({ length: count }, (_, i) => i)
  const ranks = ranksOfTargets(from, to, to.length / count, own)
  const recalls = recallAtK(ranks, recallPlaces).map((recall, i) => [`${name}_recall_${recallPlaces[i]}`, recall])
  return {
    ...Object.fromEntries(recalls),
    [`${name}_median_rank`]: medianRank(ranks) + 1,
    [`${name}_mrr`]: meanReciprocalRank(ranks),
  }
}

/**
 * Metrics of the vectors: retrieval of whole items by one modality, category accuracy by prompts and by neighbors,
 * alignment and uniformity (Wang & Isola 2020, arXiv:2005.10242), and mean cosine. `category` [count] is the number of
 * each item's category, −1 if it has none. Metrics that cannot be computed are absent.
 */
export function judgeVectors(vectors: JudgedVectors, category: Int32Array, modalities: Modalities) {
  const count = category.length
  const { image, text, fused, fromImage, fromText, prompts } = vectors
  const views = { image, title: text, fused }
  const judged = (['image', 'title', 'fused'] as const).filter(
    (view) => modalities === 'both' || view === 'fused' || (view === 'title') === (modalities === 'text'),
  )
  const metrics: Record<string, number> = {}
  if (modalities === 'both') {
    Object.assign(metrics, retrieval('image_to_item', fromImage, fused, count))
    Object.assign(metrics, retrieval('title_to_item', fromText, fused, count))
    metrics['alignment'] = alignment(image, text, image.length / count)
  }
  for (const view of judged) metrics[`uniformity_${view}`] = uniformity(views[view], views[view].length / count)
  for (const view of judged)
    metrics[`mean_cosine_${view}`] = meanPairwiseCosine(views[view], views[view].length / count)
  if (category.filter((number) => number >= 0).length < 2) return metrics
  if (prompts) metrics['zero_shot_accuracy'] = nearestClassAccuracy(image, prompts, image.length / count, category)
  for (const view of judged) {
    const vectors = views[view]
    metrics[`category_accuracy_${view}`] = neighborAccuracy(vectors, vectors.length / count, category, neighbors)
  }
  metrics['category_majority'] = majorityShare(category)
  return metrics
}

/** The prompt of each category; none if the column does not contain text. */
export function categoryPrompts(
  { table, categoryNames }: Pick<Items, 'categoryNames'> & { table: Pick<Items['table'], 'columns'> },
  column: string,
  prompt: string,
): string[] {
  if (table.columns.get(column) !== 'VARCHAR') return []
  return categoryNames.map((name) => prompt.replaceAll('{}', () => name))
}

/** Names of the vectors in `metrics` that have collapsed, which means that those of all items are nearly equal. */
export function collapsedViews(metrics: Readonly<Record<string, number>>): string[] {
  return Object.entries(metrics).flatMap(([name, value]) =>
    name.startsWith('mean_cosine_') && isCollapsed(value) ? [name.slice('mean_cosine_'.length)] : [],
  )
}
