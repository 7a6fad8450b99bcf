import { type ItemColumns, type Items, readPictures } from '../../data/items/items.js'
import { thumbnail } from '../../data/pictures/thumbnail.js'
import type { Card } from '../../report/index.js'

/** Returns a function that makes a report card of an item; the items in `shown` get a thumbnail. */
export async function itemCards(
  items: Items,
  { columns, maxImagePixels: maxPixels, allowOutside }: Source,
  shown: Iterable<number>,
) {
  const { folder } = items.pictures
  const pictures = new Map<number, string | undefined>()
  for (const [item, picture] of await readPictures(items, columns, shown)) {
    pictures.set(item, await thumbnail(picture, { folder, maxPixels, allowOutside }))
  }
  return (item: number, more: Partial<Card> = {}): Card => ({
    picture: pictures.get(item),
    text: items.titles[item],
    ...more,
  })
}

/** The source of pictures: a stage's `data` options. */
export interface Source {
  columns: ItemColumns
  maxImagePixels: number
  allowOutside: boolean
}
