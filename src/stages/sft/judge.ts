/** Evaluates vectors by the choices of users: at which rank does a search with the query find the target? */
import { Random } from '../../base/random.js'
import type { Preprocessing } from '../../checkpoint/preprocessing.js'
import { queryKinds } from '../../data/choices/sources/source.js'
import type { Catalogue } from '../../data/items/catalogue.js'
import { takeRows } from '../../data/tables/matrix.js'
import type { Session, Value } from '../../engine/index.js'
import { meanPairwiseCosine, nearestItems, ranksOfTargets, recallAtK } from '../../metrics/index.js'
import { contentWidth, type EncoderShape } from '../../models/encoder.js'
import { type ItemVectors, pixels } from '../shared/encode.js'
import type { SearchQueries, SftData } from './load.js'
import type { Judged } from './recall.js'

/** An open session with the programs of `encoderPrograms`. */
export interface OpenEncoder {
  session: Session
  shape: EncoderShape
  preprocessing: Preprocessing
}

/** Ranks all items, of vectors `content` [items, width], for the queries of `pairs`; by kind of query. */
export async function findTargets(
  encoder: OpenEncoder,
  { positives, queries: searches }: SftData,
  pairs: Int32Array,
  content: Float32Array,
): Promise<Judged[]> {
  const width = contentWidth(encoder.shape)
  const judged: Judged[] = []
  for (const [k, kind] of queryKinds.entries()) {
    const rows = pairs.filter((i) => positives.kind[i] === k)
    if (rows.length === 0) continue
    const queries = rows.map((i) => positives.query[i])
    const distinct = Int32Array.from(new Set(queries))
    const position = new Map(Array.from(distinct, (query, i) => [query, i]))
    const vectors =
      kind === 'product' ? takeRows(content, width, distinct) : await encodeQueries(encoder, kind, distinct, searches)
    const queryVectors = takeRows(
      vectors,
      width,
      queries.map((query) => position.get(query)!),
    )
    const targets = rows.map((i) => positives.target[i])
    // A product does not compete as an answer to itself.
    const exclude = kind === 'product' ? (row: number) => Int32Array.of(queries[row]) : undefined
    const ranks = ranksOfTargets(queryVectors, content, width, targets, { exclude })
    judged.push({ kind, queries, targets, ranks, queryVectors, content })
  }
  return judged
}

/** Neighbors of an item that its category is compared with. */
const neighbors = 10
/** Largest number of items that neighbors are searched for. */
const maxItems = 1000

/**
 * Measures how much content the vectors keep: recall@10 of an item's picture among all pictures given its title
 * (`limit` titles at most), share of the ten nearest neighbors that have the item's category, mean pairwise cosine.
 * Leaves out what the catalogue has no data for.
 */
export function contentMetrics(
  { image, text, content }: ItemVectors,
  { items, hasImage, hasText }: Catalogue,
  shape: EncoderShape,
  limit: number,
): Record<string, number> {
  const width = contentWidth(shape)
  const metrics: Record<string, number> = {}
  const all = Int32Array.from({ length: items.count }, (_, i) => i)
  const complete = all.filter((i) => hasImage[i] && hasText[i])
  if (complete.length > neighbors)
    metrics['title_to_image_recall_10'] = titleRecall(image, text, complete, shape.config.projection, limit)
  const withCategory = Random.of('neighbours').shuffle(all.filter((i) => items.category[i] >= 0))
  if (withCategory.length > neighbors)
    metrics['category_purity_10'] = categoryPurity(content, width, withCategory.subarray(0, maxItems), items.category)
  metrics['mean_cosine'] = meanPairwiseCosine(content, width)
  return metrics
}

/** Recall@10 of pictures given titles, both [items, d], among the items `complete`. */
function titleRecall(image: Float32Array, text: Float32Array, complete: Int32Array, d: number, limit: number): number {
  const positions = Random.of('titles').shuffle(Int32Array.from(complete.keys())).subarray(0, limit)
  const titles = takeRows(
    text,
    d,
    positions.map((position) => complete[position]),
  )
  const [, at10] = recallAtK(ranksOfTargets(titles, takeRows(image, d, complete), d, positions), [1, 10])
  return at10
}

/** Mean share of the nearest neighbors of `items` that have the same category. */
function categoryPurity(content: Float32Array, width: number, items: Int32Array, category: Int32Array): number {
  const shares = Array.from(items, (item) => {
    const vector = content.subarray(item * width, (item + 1) * width)
    const found = nearestItems(vector, content, neighbors, new Set([item]))
    return found.filter((other) => category[other] === category[item]).length / found.length
  })
  return shares.reduce((a, b) => a + b, 0) / shares.length
}

/** Rows encoded at a time. */
const piece = 256

/** Content vectors of query pictures or texts [rows, width]. */
async function encodeQueries(
  { session, shape, preprocessing }: OpenEncoder,
  kind: 'image' | 'text',
  rows: Int32Array,
  { pictures, tokens }: SearchQueries,
): Promise<Float32Array> {
  const { length, config } = shape
  const width = contentWidth(shape)
  const out = new Float32Array(rows.length * width)
  for (let from = 0; from < rows.length; from += piece) {
    const part = rows.subarray(from, from + piece)
    const n = part.length
    const missing = { data: new Float32Array(n * config.projection), shape: [n, config.projection] }
    const encoded =
      kind === 'image'
        ? session.run('image', { pixel_values: await pixels(pictures, part, preprocessing) })
        : session.run('text', { input_ids: { data: takeRows(tokens, length, part), shape: [n, length] } })
    const flag = (on: boolean): Value => ({ data: new Float32Array(n).fill(on ? 1 : 0), shape: [n] })
    const { embedding } = session.run('content', {
      image_embedding: missing,
      text_embedding: missing,
      ...encoded,
      has_image: flag(kind === 'image'),
      has_text: flag(kind === 'text'),
    })
    out.set(embedding.data, from * width)
  }
  return out
}
