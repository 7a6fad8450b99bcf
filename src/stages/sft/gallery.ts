/** Galleries of the reports: what was asked, and what a model found. */

import type { AnchorKind, Positives } from '../../data/choices/positives.js'
import { type ItemColumns, type Items, readPictures } from '../../data/items/items.js'
import { thumbnail } from '../../data/pictures/thumbnail.js'
import { nearestItems } from '../../metrics/index.js'
import { type Ask, type Card, type Child, gallery } from '../../report/index.js'
import type { ItemVectors } from '../shared/encode.js'
import type { Judged } from './judge.js'

/** Where pictures come from: a stage's `data` options. */
interface Source {
  columns: ItemColumns
  maxImagePixels: number
}

/** Makes cards of items; those in `shown` get their thumbnails. */
async function itemCards(items: Items, { columns, maxImagePixels: maxPixels }: Source, shown: Iterable<number>) {
  const { folder } = items.pictures
  const pictures = new Map<number, string | undefined>()
  for (const [item, picture] of await readPictures(items, columns, shown)) {
    pictures.set(item, await thumbnail(picture, { folder, maxPixels }))
  }
  return (item: number, more: Partial<Card> = {}): Card => ({
    picture: pictures.get(item),
    text: items.titles[item],
    ...more,
  })
}

/** A few pictures with the titles found for them, and the other way round, among the items `heldOut`. */
export async function showPairs(
  items: Items,
  source: Source,
  heldOut: Int32Array,
  { image, text }: ItemVectors,
): Promise<Child> {
  const d = image.length / heldOut.length
  const find = (queries: Float32Array, among: Float32Array, from: number, to: number, k: number) =>
    Array.from({ length: Math.min(to, heldOut.length) - from }, (_, i) => {
      const query = queries.subarray((from + i) * d, (from + i + 1) * d)
      return { asked: heldOut[from + i], found: nearestItems(query, among, k).map((row) => heldOut[row]) }
    })
  const titles = find(image, text, 0, 8, 5)
  const pictures = find(text, image, Math.min(8, heldOut.length), 12, 7)
  const shown = [...titles.map(({ asked }) => asked), ...pictures.flatMap(({ found }) => found)]
  const card = await itemCards(items, source, shown)
  const answers = (asked: number, found: number[]) =>
    found.map((item, i) => {
      const right = item === asked || items.titles[item] === items.titles[asked]
      return card(item, { right, note: right ? `${i + 1} ✓` : undefined })
    })
  return [
    gallery(
      'Titles found for pictures',
      'Items that training never saw, and the five titles nearest to each picture; the right one in green.',
      titles.map(
        ({ asked, found }): Ask => ({
          asked: card(asked),
          found: answers(asked, found).map((c) => ({ ...c, picture: undefined })),
        }),
      ),
    ),
    gallery(
      'Pictures found for titles',
      'The other way round; the right picture has a green frame.',
      pictures.map(
        ({ asked, found }): Ask => ({
          asked: { text: items.titles[asked] },
          found: answers(asked, found).map((c) => ({ ...c, text: undefined })),
        }),
      ),
    ),
  ]
}

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
