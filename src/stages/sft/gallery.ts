/** Galleries of the report: queries of users and the items that a model finds for them. */
import type { Positives } from '../../data/choices/positives.js'
import type { QueryKind } from '../../data/choices/sources/source.js'
import type { Items } from '../../data/items/items.js'
import { thumbnail } from '../../data/pictures/thumbnail.js'
import { nearestItems } from '../../metrics/index.js'
import { type Card, type Child, gallery, type QueryResult } from '../../report/index.js'
import { itemCards, type Source } from '../shared/cards.js'
import type { Judged } from './recall.js'

/** Two queries of the test period for each kind: the query, its target, and the first six items found. */
export async function showSearches(
  items: Items,
  source: Source,
  { queryImages, queryTexts }: Positives,
  queryFolder: string,
  judged: readonly Judged[],
): Promise<Child> {
  const searches = judged.flatMap(firstSearches)
  const shown = searches.flatMap(({ kind, query, target, found }) => [
    target,
    ...found,
    ...(kind === 'product' ? [query] : []),
  ])
  const card = await itemCards(items, source, shown)
  const asks = searches.map(async ({ kind, query, target, rank, found }): Promise<QueryResult> => {
    const { maxImagePixels: maxPixels, allowOutside } = source
    const place = { folder: queryFolder, maxPixels, allowOutside }
    const cardOf: Record<QueryKind, () => Card | Promise<Card>> = {
      image: async () => ({ picture: await thumbnail(queryImages[query], place) }),
      text: () => ({ text: queryTexts[query] }),
      product: () => card(query),
    }
    return {
      query: { ...(await cardOf[kind]()), note: `query: ${kind}` },
      chosen: card(target, { note: `chosen; found at ${rank}` }),
      found: found.map((item, i) => card(item, item === target ? { right: true, note: `${i + 1} ✓ chosen` } : {})),
    }
  })
  return gallery(
    'What is found',
    'A query of a user, the item chosen next, and the six nearest items by vector; green: the chosen item.',
    await Promise.all(asks),
  )
}

/** The first two distinct queries with the items found for them. */
function firstSearches({ kind, queries, targets, ranks, queryVectors, content }: Judged) {
  const d = queryVectors.length / queries.length
  const distinct = Array.from(queries.keys()).filter((i) => queries.indexOf(queries[i]) === i)
  return distinct.slice(0, 2).map((i) => {
    const vector = queryVectors.subarray(i * d, (i + 1) * d)
    const excluded = new Set(kind === 'product' ? [queries[i]] : [])
    const found = nearestItems(vector, content, 6, excluded)
    return { kind, query: queries[i], target: targets[i], rank: Math.round(ranks[i]) + 1, found }
  })
}
