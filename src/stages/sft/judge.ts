/** Judges vectors by what users chose: is the item that an event ended in found with what the user asked with? */

import { Random } from '../../base/random.js'
import type { Preprocessing } from '../../checkpoint/preprocessing.js'
import { type AnchorKind, anchorKinds, type Part, type Positives, parts } from '../../data/choices/positives.js'
import { type Catalogue, takeRows } from '../../data/items/catalogue.js'
import type { Session, Value } from '../../engine/index.js'
import { meanPairwiseCosine, meanReciprocalRank, nearestItems, ranksOfTargets, recallAtK } from '../../metrics/index.js'
import { contentWidth, type EncoderShape } from '../../models/encoder.js'
import { type ItemVectors, pixels } from '../shared/encode.js'
import type { SftData } from './load.js'

/** Places within which a chosen item counts as found. */
const ks = [1, 10, 50, 100]

/** What a line on an evaluation tells; the rest is in metrics.json. */
export const told = /^(recall_(1|10|50)|recall_10_[a-z]+|title_to_image_recall_10|category_purity_10|mean_cosine)$/

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

/** What vectors are made with: a session that has the programs of `encoderPrograms`. */
export interface OpenEncoder {
  session: Session
  shape: EncoderShape
  preprocessing: Preprocessing
}

/** Pairs of a part that are judged, `limit` at most; the same ones whatever the seed. */
export function judgedPairs(positives: Positives, part: Part, limit: number): Int32Array {
  const all = Int32Array.from({ length: positives.count }, (_, i) => i)
  const of = all.filter((i) => positives.part[i] === parts[part])
  return Random.of('judge', part).shuffle(of).slice(0, limit)
}

/** Searches all items, of vectors `content` [items, width], for the chosen one of each of `pairs`; by kind of anchor. */
export async function findChosen(
  encoder: OpenEncoder,
  { positives, anchors }: SftData,
  pairs: Int32Array,
  content: Float32Array,
): Promise<Judged[]> {
  const width = contentWidth(encoder.shape)
  const judged: Judged[] = []
  for (const [k, kind] of anchorKinds.entries()) {
    const rows = pairs.filter((i) => positives.kind[i] === k)
    if (rows.length === 0) continue
    const asked = rows.map((i) => positives.anchor[i])
    const distinct = Int32Array.from(new Set(asked))
    const place = new Map(Array.from(distinct, (anchor, i) => [anchor, i]))
    const vectors =
      kind === 'product' ? takeRows(content, width, distinct) : await encodeQueries(encoder, kind, distinct, anchors)
    const queries = takeRows(
      vectors,
      width,
      asked.map((anchor) => place.get(anchor)!),
    )
    const targets = rows.map((i) => positives.item[i])
    // A product is not an answer to itself.
    const exclude = kind === 'product' ? (query: number) => Int32Array.of(asked[query]) : undefined
    const ranks = ranksOfTargets(queries, content, width, targets, { exclude })
    judged.push({ kind, anchors: asked, targets, ranks, queries, content })
  }
  return judged
}

/** Places of chosen items, by kind of anchor. */
export type Found = Pick<Judged, 'kind' | 'targets' | 'ranks'>

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

/** Neighbours whose category is looked at, and items at most that are asked for theirs. */
const neighbours = 10
const askedForNeighbours = 1000

/**
 * What has become of content: recall@10 of an item's picture given its title among all pictures, share of the nearest
 * ten neighbours in an item's own category, mean pairwise cosine. What the catalogue lacks is left out.
 */
export function contentMetrics(
  { image, text, content }: ItemVectors,
  { items, hasImage, hasText }: Catalogue,
  shape: EncoderShape,
  limit: number,
): Record<string, number> {
  const width = contentWidth(shape)
  const d = shape.config.projection
  const metrics: Record<string, number> = {}
  const all = Int32Array.from({ length: items.count }, (_, i) => i)
  const complete = all.filter((i) => hasImage[i] && hasText[i])
  if (complete.length > neighbours) {
    const places = Random.of('titles').shuffle(Int32Array.from(complete.keys())).subarray(0, limit)
    const titles = takeRows(
      text,
      d,
      places.map((place) => complete[place]),
    )
    const [, at10] = recallAtK(ranksOfTargets(titles, takeRows(image, d, complete), d, places), [1, 10])
    metrics['title_to_image_recall_10'] = at10
  }
  const asked = Random.of('neighbours').shuffle(all.filter((i) => items.category[i] >= 0))
  if (asked.length > neighbours) {
    const shares = Array.from(asked.subarray(0, askedForNeighbours), (item) => {
      const query = content.subarray(item * width, (item + 1) * width)
      const found = nearestItems(query, content, neighbours, new Set([item]))
      return found.filter((other) => items.category[other] === items.category[item]).length / found.length
    })
    metrics['category_purity_10'] = shares.reduce((a, b) => a + b, 0) / shares.length
  }
  metrics['mean_cosine'] = meanPairwiseCosine(content, width)
  return metrics
}

/** Items that a pair of the training part ends in. */
export function seenItems({ count, part, item }: Positives): Set<number> {
  const seen = new Set<number>()
  for (let i = 0; i < count; i++) if (part[i] === parts.train) seen.add(item[i])
  return seen
}

/** Rows encoded at a time. */
const piece = 256

/** Content vectors of query pictures or texts [rows, width]. */
async function encodeQueries(
  { session, shape, preprocessing }: OpenEncoder,
  kind: 'image' | 'text',
  rows: Int32Array,
  { pictures, tokens }: SftData['anchors'],
): Promise<Float32Array> {
  const { length, config } = shape
  const width = contentWidth(shape)
  const out = new Float32Array(rows.length * width)
  for (let from = 0; from < rows.length; from += piece) {
    const part = rows.subarray(from, from + piece)
    const n = part.length
    const nothing = { data: new Float32Array(n * config.projection), shape: [n, config.projection] }
    const encoded =
      kind === 'image'
        ? session.run('image', { pixel_values: await pixels(pictures, part, preprocessing) })
        : session.run('text', { input_ids: { data: takeRows(tokens, length, part), shape: [n, length] } })
    const flag = (on: boolean): Value => ({ data: new Float32Array(n).fill(on ? 1 : 0), shape: [n] })
    const { embedding } = session.run('content', {
      image_embedding: nothing,
      text_embedding: nothing,
      ...encoded,
      has_image: flag(kind === 'image'),
      has_text: flag(kind === 'text'),
    })
    out.set(embedding.data, from * width)
  }
  return out
}
