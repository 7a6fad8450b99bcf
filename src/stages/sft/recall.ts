import { Random } from '../../base/random.js'
import { type Part, parts } from '../../data/choices/log.js'
import type { Positives } from '../../data/choices/positives.js'
import type { QueryKind } from '../../data/choices/sources/source.js'
import { meanReciprocalRank, recallAtK } from '../../metrics/index.js'

/** Queries of one kind and where their targets were found, by row. All vectors are unit vectors of one width. */
export interface Judged {
  kind: QueryKind
  /** Number of the query, as in `Positives` [rows]. */
  queries: Int32Array
  /** Item number of the target [rows]. */
  targets: Int32Array
  /** Rank of the target among all items, from 0 [rows]. */
  ranks: Float64Array
  /** [rows, width] */
  queryVectors: Float32Array
  /** Content vectors of all items [items, width]. */
  content: Float32Array
}

/** Recall is reported within these numbers of items. */
export const ks = [1, 10, 50, 100]

/** Ranks of targets for one kind of query. */
export type Found = Pick<Judged, 'kind' | 'targets' | 'ranks'>

/** The pairs of a part that are evaluated, at most `limit`. They do not depend on the seed of the run. */
export function judgedPairs(positives: Positives, part: Part, limit: number): Int32Array {
  const all = Int32Array.from({ length: positives.count }, (_, i) => i)
  const ofPart = all.filter((i) => positives.part[i] === parts[part])
  return Random.of('judge', part).shuffle(ofPart).slice(0, limit)
}

/**
 * Recall@1, 10, 50, 100 and mean reciprocal rank, of all pairs and by kind of query (`query`: picture or text); again
 * for the pairs whose target is not in `seen`. Names end in the group: `recall_10_image_unseen`.
 */
export function recallMetrics(found: readonly Found[], seen: ReadonlySet<number>): Record<string, number> {
  const searches = found.filter(({ kind }) => kind !== 'product')
  const groups: [string, readonly Found[]][] = [
    ['', found],
    ...(searches.length > 1 ? [['_query', searches] satisfies [string, readonly Found[]]] : []),
    ...found.map((one): [string, readonly Found[]] => [`_${one.kind}`, [one]]),
  ]
  const metrics: Record<string, number> = {}
  for (const [ending, isCounted] of [
    ['', () => true],
    ['_unseen', (item: number) => !seen.has(item)],
  ] as const) {
    for (const [group, members] of groups) {
      const ranks = Float64Array.from(
        members.flatMap(({ targets, ranks }) => Array.from(ranks).filter((_, i) => isCounted(targets[i]))),
      )
      if (ranks.length === 0) continue
      for (const [i, recall] of recallAtK(ranks, ks).entries()) metrics[`recall_${ks[i]}${group}${ending}`] = recall
      metrics[`mrr${group}${ending}`] = meanReciprocalRank(ranks)
    }
  }
  return metrics
}

/** Items that are the target of a training pair. */
export function seenItems({ count, part, target }: Positives): Set<number> {
  const seen = new Set<number>()
  for (let i = 0; i < count; i++) if (part[i] === parts.train) seen.add(target[i])
  return seen
}
