/** Judges vectors by what users chose: is the item that an event ended in found with what the user asked with? */
import { Random } from '../../base/random.js'
import type { Preprocessing } from '../../checkpoint/preprocessing.js'
import { anchorKinds } from '../../data/choices/positives.js'
import type { Catalogue } from '../../data/items/catalogue.js'
import { takeRows } from '../../data/tables/matrix.js'
import type { Session, Value } from '../../engine/index.js'
import { meanPairwiseCosine, nearestItems, ranksOfTargets, recallAtK } from '../../metrics/index.js'
import { contentWidth, type EncoderShape } from '../../models/encoder.js'
import { type ItemVectors, pixels } from '../shared/encode.js'
import type { SftData } from './load.js'
import type { Judged } from './recall.js'

/** What vectors are made with: a session that has the programs of `encoderPrograms`. */
export interface OpenEncoder {
  session: Session
  shape: EncoderShape
  preprocessing: Preprocessing
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

/** Neighbors whose category is looked at, and items at most that are asked for theirs. */
const neighbors = 10
const askedForNeighbors = 1000

/**
 * What has become of content: recall@10 of an item's picture given its title among all pictures, share of the nearest
 * ten neighbors in an item's own category, mean pairwise cosine. What the catalogue lacks is left out.
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
  if (complete.length > neighbors) {
    const places = Random.of('titles').shuffle(Int32Array.from(complete.keys())).subarray(0, limit)
    const titles = takeRows(
      text,
      d,
      places.map((place) => complete[place]),
    )
    const [, at10] = recallAtK(ranksOfTargets(titles, takeRows(image, d, complete), d, places), [1, 10])
    metrics['title_to_image_recall_10'] = at10
  }
  const asked = Random.of('neighbors').shuffle(all.filter((i) => items.category[i] >= 0))
  if (asked.length > neighbors) {
    const shares = Array.from(asked.subarray(0, askedForNeighbors), (item) => {
      const query = content.subarray(item * width, (item + 1) * width)
      const found = nearestItems(query, content, neighbors, new Set([item]))
      return found.filter((other) => items.category[other] === items.category[item]).length / found.length
    })
    metrics['category_purity_10'] = shares.reduce((a, b) => a + b, 0) / shares.length
  }
  metrics['mean_cosine'] = meanPairwiseCosine(content, width)
  return metrics
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
