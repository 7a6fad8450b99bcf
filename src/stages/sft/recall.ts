import { Random } from '../../base/random.js'
import { type AnchorKind, type Part, type Positives, parts } from '../../data/choices/positives.js'
import { meanReciprocalRank, recallAtK } from '../../metrics/index.js'

/** Queries of one kind with their answers, by row; `queries` and `content` are unit vectors of one width. */
export interface Judged {
  kind: AnchorKind
  anchors: Int32Array
  targets: Int32Array
  /** Place of the chosen item, from 0. */
  ranks: Float64Array
  queries: Float32Array
  /** Of all items. */
  content: Float32Array
}

/** Places within which a chosen item counts as found. */
export const ks = [1, 10, 50, 100]

/** Places of chosen items, by kind of anchor. */
export type Found = Pick<Judged, 'kind' | 'targets' | 'ranks'>

/** Pairs of a part that are judged, `limit` at most; the same ones whatever the seed. */
export function judgedPairs(positives: Positives, part: Part, limit: number): Int32Array {
  const all = Int32Array.from({ length: positives.count }, (_, i) => i)
  const of = all.filter((i) => positives.part[i] === parts[part])
  return Random.of('judge', part).shuffle(of).slice(0, limit)
}

/**
 * Recall@1, 10, 50, 100 and mean reciprocal rank, for all events and by kind of anchor (`query`: picture or text);
 * again for the events whose item is not in `seen`. A name says its group: `recall_10_image_unseen`.
 */
export function recallMetrics(found: readonly Found[], seen: ReadonlySet<number>): Record<string, number> {
  const queries = found.filter(({ kind }) => kind !== 'product')
  const groups: [string, readonly Found[]][] = [
    ['', found],
    ...(queries.length > 1 ? [['_query', queries] satisfies [string, readonly Found[]]] : []),
    ...found.map((one): [string, readonly Found[]] => [`_${one.kind}`, [one]]),
  ]
  const metrics: Record<string, number> = {}
  for (const [ending, keep] of [
    ['', () => true],
    ['_unseen', (item: number) => !seen.has(item)],
  ] as const) {
    for (const [group, members] of groups) {
      const ranks = Float64Array.from(
        members.flatMap(({ targets, ranks }) => Array.from(ranks).filter((_, i) => keep(targets[i]))),
      )
      if (ranks.length === 0) continue
      for (const [i, recall] of recallAtK(ranks, ks).entries()) metrics[`recall_${ks[i]}${group}${ending}`] = recall
      metrics[`mrr${group}${ending}`] = meanReciprocalRank(ranks)
    }
  }
  return metrics
}

/** Items that a pair of the training part ends in. */
export function seenItems({ count, part, item }: Positives): Set<number> {
  const seen = new Set<number>()
  for (let i = 0; i < count; i++) if (part[i] === parts.train) seen.add(item[i])
  return seen
}
