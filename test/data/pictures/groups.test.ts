import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { loadItems } from '../../../src/data/items/items.js'
import { preparePictures } from '../../../src/data/pictures/prepare.js'
import { openTables } from '../tables.js'

const { db, folder, write } = await openTables()
const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }

test('when pictures are the same, in whatever file, then they are one group, and items without one are alone', async () => {
  const plain = (value: number) =>
    sharp({ create: { width: 9, height: 9, channels: 3, background: `rgb(9, 9, ${value})` } })
  await plain(7).png().toFile(join(folder, 'a.png'))
  await plain(8).png().toFile(join(folder, 'b.png'))
  await plain(7).png().toFile(join(folder, 'c.png'))
  const items = await write(
    'items',
    `SELECT * FROM (VALUES (1, 'a.png'), (2, NULL), (3, 'b.png'), (4, 'c.png'), (5, NULL), (6, 'b.png')) t(item_id, image)`,
  )
  const { pictures } = await loadItems(db, items, columns)
  const options = {
    size: 8,
    fit: 'cover',
    maxPixels: 1000,
    maxBad: 0,
    cacheLimit: 1,
    allowOutside: false,
    cache: join(folder, 'cache'),
  } as const
  const prepared = await preparePictures(pictures, options)
  assert.deepEqual([...prepared.groups()], [0, -2, 1, 0, -5, 1])
  prepared.close()
})
