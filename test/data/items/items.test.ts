import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadItems } from '../../../src/data/items/items.js'
import { lookUpItems } from '../../../src/data/items/lookup.js'
import { openItemStream } from '../../../src/data/items/stream.js'
import { preparePictures } from '../../../src/data/pictures/prepare.js'
import { openTables } from '../tables.js'

const { db, folder, write, rows } = await openTables()
const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }

describe('Items', () => {
  test('when a catalogue is read then items come in the order of their ids with blanks as nulls', async () => {
    const path = await rows(
      'items',
      'item_id, title, category',
      "('b', ' Blue hat ', 'hat')",
      "('a', '  ', 'bag')",
      "('d', NULL, NULL)",
      "('c', 'Bag', 'bag')",
    )
    const { count, titles, category, categoryNames, pictures, idType } = await loadItems(db, path, columns)
    assert.deepEqual([count, idType], [4, 'VARCHAR'])
    assert.deepEqual(titles, [null, 'Blue hat', 'Bag', null])
    assert.deepEqual(categoryNames, ['bag', 'hat'])
    assert.deepEqual([...category], [0, 1, 0, -1])
    const read: unknown[] = []
    for await (const piece of pictures.read()) read.push(...piece)
    assert.deepEqual(read, [null, null, null, null])
  })

  test('when several columns make the title then they stand one after another, without those that are blank', async () => {
    const path = await rows(
      'several',
      'item_id, title, category',
      "(1, ' Blue hat ', 'hat')",
      "(2, ' ', 'bag')",
      '(3, NULL, NULL)',
    )
    const both = { ...columns, title: ['title', 'category'] }
    assert.deepEqual((await loadItems(db, path, both)).titles, ['Blue hat hat', 'bag', null])
    const read: unknown[] = []
    for await (const { titles } of (await openItemStream(db, path, both)).read()) read.push(...titles)
    assert.deepEqual(read, ['Blue hat hat', 'bag', null])
    const { items } = await lookUpItems(db, path, both, [1n])
    assert.equal(items.get(1n)!.title, 'Blue hat hat')
    await assert.rejects(loadItems(db, path, { ...columns, title: ['title', 'brand'] }), { id: 'column-missing' })
  })

  test('when a catalogue has ids only then all else is absent', async () => {
    const { titles, category, categoryNames } = await loadItems(db, await rows('ids', 'item_id', '(7)', '(5)'), columns)
    assert.deepEqual([titles, [...category], categoryNames], [[null, null], [-1, -1], []])
  })
})

describe('Catalogues of one modality', () => {
  const prepared = async (query: string) => {
    const items = await loadItems(db, await write('single', query), columns)
    const options = {
      size: 8,
      fit: 'cover' as const,
      maxPixels: 10_000,
      cache: join(folder, 'cache'),
      cacheLimit: 1,
      maxBad: 0,
      allowOutside: false,
    }
    const pictures = await preparePictures(items.pictures, options)
    pictures.close()
    return { titles: items.titles, present: [...pictures.present] }
  }

  test('when there is no picture column, or one of nulls of any type, then no item has a picture', async () => {
    const expected = { titles: ['hat', 'bag'], present: [0, 0] }
    const titles = "SELECT i AS item_id, ['hat', 'bag'][i] AS title"
    assert.deepEqual(await prepared(`${titles} FROM range(1, 3) r(i)`), expected)
    // What pandas and Arrow write as null arrives as INTEGER.
    for (const type of ['INTEGER', 'VARCHAR', 'BLOB', 'DOUBLE']) {
      const query = `${titles}, NULL::${type} AS image FROM range(1, 3) r(i)`
      assert.deepEqual(await prepared(query), expected, type)
    }
    const numbers = write('numbers', `${titles}, nullif(i, 1) AS image FROM range(1, 3) r(i)`)
    await assert.rejects(loadItems(db, await numbers, columns), { id: 'column-type' })
  })

  test('when titles are nulls of any type then no item has a title', async () => {
    for (const type of ['INTEGER', 'VARCHAR']) {
      const { titles } = await prepared(`SELECT i AS item_id, NULL::${type} AS title FROM range(2) r(i)`)
      assert.deepEqual(titles, [null, null], type)
    }
  })
})
