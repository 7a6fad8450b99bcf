import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { EmbeddingWriter } from '../../src/data/embeddings.js'
import { itemNumbers, loadItems } from '../../src/data/items.js'
import { openTables } from './tables.js'

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

  test('when a catalogue has ids only then all else is absent', async () => {
    const { titles, category, categoryNames } = await loadItems(db, await rows('ids', 'item_id', '(7)', '(5)'), columns)
    assert.deepEqual([titles, [...category], categoryNames], [[null, null], [-1, -1], []])
  })
})

describe('Embedding tables', () => {
  const unit = (x: number, y: number) => Float32Array.of(x, y)
  const publish = async (name: string, version: string, fill: (writer: EmbeddingWriter) => void, older = '') => {
    const writer = await EmbeddingWriter.open(db)
    fill(writer)
    await mkdir(join(folder, name))
    await writer.publish(join(folder, name, 'part.parquet'), itemNumbers, version, join(folder, older))
    return db.rows<Record<string, unknown>>(`SELECT * FROM read_parquet('${join(folder, name)}/part.parquet')`)
  }

  test('when vectors are published then rows are sorted by ids of the type they had, kept rows as they were', async () => {
    await loadItems(db, await write('big', 'SELECT 9007199254740993 - i AS item_id FROM range(3) r(i)'), columns)
    const made = { image: null, text: unit(0, 1), contentHash: 'new' }
    const first = await publish('first', 'v1', (writer) => {
      writer.add({ item: 2, embedding: unit(1, 0), ...made })
      writer.add({ item: 0, embedding: unit(0.6, 0.8), ...made })
    })
    assert.deepEqual(
      first.map(({ item_id, content_hash, model_version }) => [item_id, content_hash, model_version]),
      [
        [9007199254740991n, 'new', 'v1'],
        [9007199254740993n, 'new', 'v1'],
      ],
    )
    assert.deepEqual(
      [first[1]['embedding'], first[1]['image_embedding'], first[1]['text_embedding']],
      [[1, 0], null, [0, 1]],
    )
    const second = await publish(
      'second',
      'v1',
      (writer) => {
        writer.keep(2)
        writer.add({ item: 1, embedding: unit(0, 1), image: unit(1, 0), text: null, contentHash: 'newer' })
      },
      'first',
    )
    assert.deepEqual(
      second.map(({ item_id, content_hash }) => [item_id, content_hash]),
      [
        [9007199254740992n, 'newer'],
        [9007199254740993n, 'new'],
      ],
    )
    assert.deepEqual(second[1], first[1])
  })
})
