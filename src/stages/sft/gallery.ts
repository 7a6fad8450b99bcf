/** Galleries of the reports: what was asked, and what a model found. */
import type { AnchorKind, Positives } from '../../data/choices/positives.js'
import type { Items } from '../../data/items/items.js'
import { thumbnail } from '../../data/pictures/thumbnail.js'
import { nearestItems } from '../../metrics/index.js'
import { type Ask, type Card, type Child, gallery } from '../../report/index.js'
import { itemCards, type Source } from '../shared/cards.js'
import type { Judged } from './recall.js'

/** For each kind of query two of the test period: what was asked with, what was chosen, what is found first. */
export async function showSearches(
  items: Items,
  source: Source,
  { queryImages, queryTexts }: Positives,
  queryFolder: string,
  judged: readonly Judged[],
): Promise<Child> {
  const searches = judged.flatMap(({ kind, anchors, targets, ranks, queries, content }) => {
    const d = queries.length / anchors.length
    const firsts = Array.from(anchors.keys()).filter((i) => anchors.indexOf(anchors[i]) === i)
    return firsts.slice(0, 2).map((i) => ({
      kind,
      anchor: anchors[i],
      target: targets[i],
      rank: Math.round(ranks[i]) + 1,
      found: nearestItems(
        queries.subarray(i * d, (i + 1) * d),
        content,
        6,
        new Set(kind === 'product' ? [anchors[i]] : []),
      ),
    }))
  })
  const shown = searches.flatMap(({ kind, anchor, target, found }) => [
    target,
    ...found,
    ...(kind === 'product' ? [anchor] : []),
  ])
  const card = await itemCards(items, source, shown)
  const asks = searches.map(async ({ kind, anchor, target, rank, found }): Promise<Ask> => {
    const place = { folder: queryFolder, maxPixels: source.maxImagePixels }
    const query: Record<AnchorKind, () => Card | Promise<Card>> = {
      image: async () => ({ picture: await thumbnail(queryImages[anchor], place) }),
      text: () => ({ text: queryTexts[anchor] }),
      product: () => card(anchor),
    }
    return {
      asked: { ...(await query[kind]()), note: `asked with ${kind}` },
      chosen: card(target, { note: `chosen; found at ${rank}` }),
      found: found.map((item, i) => card(item, item === target ? { right: true, note: `${i + 1} ✓ chosen` } : {})),
    }
  })
  return gallery(
    'What is found',
    'What users asked with, what they then chose, and the six items that the vectors put first; green: the chosen one.',
    await Promise.all(asks),
  )
}
