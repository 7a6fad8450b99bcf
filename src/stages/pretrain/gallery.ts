import type { Items } from '../../data/items/items.js'
import { nearestItems } from '../../metrics/index.js'
import { type Child, gallery, type QueryResult } from '../../report/index.js'
import { itemCards, type Source } from '../shared/cards.js'
import type { ItemVectors } from '../shared/encode.js'

/** Report section: the titles found for a few pictures among the items `heldOut`, and the pictures found for titles. */
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
      'Held-out items, and the five titles nearest to each picture; the correct title is green.',
      titles.map(
        ({ asked, found }): QueryResult => ({
          query: card(asked),
          found: answers(asked, found).map((c) => ({ ...c, picture: undefined })),
        }),
      ),
    ),
    gallery(
      'Pictures found for titles',
      'The pictures nearest to each title; the correct picture has a green frame.',
      pictures.map(
        ({ asked, found }): QueryResult => ({
          query: { text: items.titles[asked] },
          found: answers(asked, found).map((c) => ({ ...c, text: undefined })),
        }),
      ),
    ),
  ]
}
