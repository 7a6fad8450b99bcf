import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { DataFacts } from '../../../src/data/facts.js'
import { loadItems } from '../../../src/data/items/items.js'
import { lookUpItems } from '../../../src/data/items/lookup.js'
import { openItemStream } from '../../../src/data/items/stream.js'
import { preparePictures } from '../../../src/data/pictures/prepare.js'
import type { PictureOrigin } from '../../../src/data/pictures/stream.js'
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

describe('Titles', () => {
  /** The titles that each stage reads, in the order of the ids. */
  async function titlesOf(path: string, facts?: DataFacts): Promise<(string | null)[]> {
    const { titles } = await loadItems(db, path, columns, facts)
    const streamed: [bigint, string | null][] = []
    for await (const { ids, titles } of (await openItemStream(db, path, columns)).read()) {
      for (const [i, id] of ids.entries()) streamed.push([id as bigint, titles[i]])
    }
    const inOrder = streamed.sort(([a], [b]) => Number(a - b))
    assert.deepEqual(
      inOrder.map(([, title]) => title),
      titles,
    )
    const { items } = await lookUpItems(
      db,
      path,
      columns,
      inOrder.map(([id]) => id),
    )
    assert.deepEqual(
      inOrder.map(([id]) => items.get(id)!.title),
      titles,
    )
    return titles
  }
  const letters = (text: string) => [...text].map((c) => `chr(${c.codePointAt(0)})`).join(' || ') || "''"
  const written = (titles: string[]) =>
    rows('titles', 'item_id, title', ...titles.map((title, i) => `(${i}, ${letters(title)})`))

  test('when a title shows nothing then it is none, in every stage', async () => {
    const nothing = [
      '',
      '   ',
      '\t',
      '\n',
      '\u00a0',
      '\u3000',
      '\u200b',
      '\ufeff',
      '\0',
      '\u2028',
      '\u200d\ufe0f',
      '\u3164',
      '\u00ad',
    ]
    assert.deepEqual(
      await titlesOf(await written(nothing)),
      nothing.map(() => null),
    )
  })

  test('when a title has spaces of any script around it then it is trimmed; what is within stays, but for NUL', async () => {
    const given: [string, string][] = [
      ['\u3000 red\u2028shoes\u00a0\n\ufeff', 'red\u2028shoes'],
      ['red\0shoes\0', 'red shoes'],
      ['👩‍👩‍👧 🏴\u{e0067}\u{e007f}', '👩‍👩‍👧 🏴\u{e0067}\u{e007f}'],
      ['حذاء أحمر', 'حذاء أحمر'],
      ['cafe\u0301', 'cafe\u0301'],
      ['夏季新款', '夏季新款'],
    ]
    assert.deepEqual(
      await titlesOf(await written(given.map(([title]) => title))),
      given.map(([, read]) => read),
    )
  })

  test('when a title has hundreds of thousands of letters then its beginning is read', async () => {
    const path = await write('long', "SELECT 1 AS item_id, repeat('ab', 100000) AS title")
    assert.deepEqual(await titlesOf(path), ['ab'.repeat(4096)])
  })

  test('when titles are numbers then they are read as text, and the notes say so', async () => {
    const facts = new DataFacts()
    const path = await rows('numbers', 'item_id, title', '(1, 4711)', '(2, NULL)')
    assert.deepEqual(await titlesOf(path, facts), ['4711', null])
    assert.match(facts.notes[0], /column 'title' is INTEGER: titles are its numbers as text/)
  })
})

describe('Columns of items that are not there', () => {
  const path = () => rows('plain', 'item_id, title', "(1, 'hat')")

  test('when the user names one then loading, extraction and look-up refuse it and suggest the nearest', async () => {
    for (const named of [
      { title: 'titel' },
      { title: ['title', 'titel'] },
      { image: 'titel' },
      { category: 'titel' },
    ]) {
      const asked = { ...columns, ...named }
      const refused = { id: 'column-missing', message: /column 'titel' is missing; did you mean 'title'\?/ }
      await assert.rejects(loadItems(db, await path(), asked), refused)
      await assert.rejects(openItemStream(db, await path(), asked), refused)
      await assert.rejects(lookUpItems(db, await path(), asked, [1n]), refused)
    }
  })

  test('when a default one is not there then one line says what is left', async () => {
    const facts = new DataFacts()
    await loadItems(db, await path(), columns, facts)
    const pictures = await rows('pictures', 'item_id, image', "(1, 'a.jpg')")
    await openItemStream(db, pictures, columns, undefined, facts)
    assert.deepEqual(facts.notes, [
      `${await path()}: no column 'image': titles alone`,
      `${pictures}: no column 'title': pictures alone`,
    ])
  })

  test('when columns have the names that mim uses in its queries then they are read', async () => {
    const path = await rows('names', 'item, item_id, n', "(1, 'hat', 'x')", "(2, 'bag', 'y')")
    const { titles, categoryNames } = await loadItems(db, path, {
      ...columns,
      id: 'item',
      title: 'item_id',
      category: 'n',
    })
    assert.deepEqual(
      [titles, categoryNames],
      [
        ['hat', 'bag'],
        ['x', 'y'],
      ],
    )
  })

  test('when a catalogue has no rows then the error names it', async () => {
    const path = await write('none', 'SELECT 1 AS item_id LIMIT 0')
    await assert.rejects(loadItems(db, path, columns), {
      id: 'table-empty',
      message: `${path}: the table of items has no rows; expected at least one row; check the step that writes it`,
    })
  })
})

test("when pictures are read again then they are found, with parts without rows and columns named like DuckDB's", async () => {
  await mkdir(join(folder, 'places [1]'))
  const query = (ids: string) =>
    `SELECT i AS item_id, chr(97 + CAST(i AS INTEGER))::BLOB AS image, 'x' AS filename, 0 AS file_row_number, 7 AS file_index FROM ${ids} r(i)`
  await write('places [1]/0', `${query('range(0)')}`)
  await write('places [1]/1', query('(VALUES (3), (0))'))
  await write('places [1]/2', query('(VALUES (1), (2))'))
  const { pictures } = await loadItems(db, join(folder, 'places [1]'), columns)
  const origin = (await pictures.origin()) as Extract<PictureOrigin, { column: string }>
  const at = Array.from(origin.file, (file, i) => `${basename(origin.files[file])} ${origin.row[i]}`)
  assert.deepEqual(at, ['1.parquet 1', '2.parquet 0', '2.parquet 1', '1.parquet 0'])
  const read: unknown[] = []
  for await (const piece of pictures.read()) read.push(...piece.map(String))
  assert.deepEqual(read, ['97', '98', '99', '100'])
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
