import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import sharp from 'sharp'
import { loadItems } from '../../../src/data/items/items.js'
import { lookUpItems } from '../../../src/data/items/lookup.js'
import { openItemStream } from '../../../src/data/items/stream.js'
import { type PictureOptions, preparePictures } from '../../../src/data/pictures/prepare.js'
import { thumbnail } from '../../../src/data/pictures/thumbnail.js'
import { type Database, literal } from '../../../src/data/tables/duckdb.js'
import { subsample } from '../../../src/sample/subsample.js'
import { compareItems } from '../../../src/stages/embed/items.js'
import { openTables } from '../tables.js'

const { db, folder, write } = await openTables()
const columns = { id: 'item_id', title: 'title', image: 'image', category: 'category' }
const color = { r: 200, g: 30, b: 30 }
const picture = await sharp({ create: { width: 24, height: 24, channels: 3, background: color } })
  .png()
  .toBuffer()
const options: PictureOptions = {
  ...{ size: 8, fit: 'cover', maxPixels: 10_000, cache: join(folder, 'cache'), cacheLimit: 1 },
  ...{ maxBad: 1, allowOutside: false, list: join(folder, 'rejected.parquet') },
}
const dataUri = `data:image/png;base64,${picture.toString('base64')}`

/** Values of the column, and what becomes of them: a reason, true for a picture, null for none. */
const values: [name: string, value: string | null, found: RegExp | true | null][] = [
  ['good', 'good.png', true],
  ['null', null, null],
  ['empty', '', null],
  ['spaces', '  \t', null],
  ['non-breaking space', '\u00a0\ufeff', null],
  ['data URI', dataUri, true],
  ['data URI with options', dataUri.replace(';', ';charset=utf-8;').replace('data', ' DATA'), true],
  ['data URI in percent', `data:,${[...picture].map((x) => `%${x.toString(16).padStart(2, '0')}`).join('')}`, true],
  ['data URI without a picture', 'data:image/png;base64,', /^empty: /],
  ['base64', picture.toString('base64').padEnd(400, 'A'), /^base64: .*data:image\/jpeg;base64,/],
  ['address', `https://example.com/a.jpg?signature=${'ab12'.repeat(100)}`, /^URL: a URL is not fetched; download/],
  ['address of a bucket', 's3://bucket/a.jpg', /^URL: /],
  ['address without a scheme', '//images.example.com/a.jpg', /^URL: /],
  ['NUL', 'images/a\0b.jpg', /^missing: .*NUL/],
  ['link to itself', 'loop.png', /^missing: a link that leads back to itself$/],
  ['in a link to itself', 'loop.png/a.png', /^missing: /],
  ['long name', `${'x'.repeat(300)}.jpg`, /^missing: 304 characters are too long/],
  ['long path', 'images/'.repeat(1000), /^missing: /],
  ['in a file', 'good.png/a.png', /^missing: no such file/],
  ['missing value of pandas', 'nan', /^missing: no such file; 'nan' is a missing value as text: write null/],
  ['padded', 'good.png\n', /^missing: no such file; the path begins or ends with white space$/],
  ['backslashes', 'images\\good.png', /^missing: no such file; the path has backslashes$/],
  ['folder', '.', /^missing: a folder/],
  ['pipe', 'pipe', /^missing: a pipe or a device/],
  ['huge', 'huge.png', /^too large: a file of 300 MB, more than 268 MB$/],
  ['link to a device', 'zero', /^outside: /],
]

await mkdir(join(folder, 'odd'))
await writeFile(join(folder, 'odd/good.png'), picture)
await symlink('loop.png', join(folder, 'odd/loop.png'))
await symlink('/dev/zero', join(folder, 'odd/zero'))
execFileSync('mkfifo', [join(folder, 'odd/pipe')])
const huge = openSync(join(folder, 'odd/huge.png'), 'w')
ftruncateSync(huge, 300e6)
closeSync(huge)

const sqlOf = (value: string | null) => (value === null ? 'NULL' : literal(value).replaceAll('\0', "' || chr(0) || '"))
const rows = values.map(([name, value], i) => `(${i}, ${literal(name)}, ${sqlOf(value)})`)
const odd = await write('odd/items', `SELECT * FROM (VALUES ${rows.join(', ')}) t(item_id, title, image)`)

/** Reasons by name as `values` has them, of all that a catalogue has. */
function check(found: readonly (string | boolean | null)[]): void {
  for (const [i, [name, , expected]] of values.entries()) {
    if (expected instanceof RegExp) assert.match(String(found[i]), expected, name)
    else assert.equal(found[i], expected, name)
  }
}

const prepare = async (path: string, more: Partial<PictureOptions> = {}) =>
  preparePictures((await loadItems(db, path, columns)).pictures, { ...options, ...more })

describe('Odd values in a column of pictures', () => {
  test('when training reads them then each is a picture, none, or broken with a reason, and is listed', async () => {
    using pictures = await prepare(odd)
    const found: (string | boolean | null)[] = [...pictures.present].map((present) => present === 1 || null)
    for (const { index, reason } of pictures.rejected) found[index] = reason
    check(found)
    const listed = await db.rows<{ item_id: number; path: string; reason: string }>(
      `SELECT * FROM read_parquet(${literal(options.list!)}) ORDER BY item_id`,
    )
    assert.deepEqual(
      listed.map(({ item_id, reason }) => ({ index: item_id, reason })),
      pictures.rejected.map(({ index, reason }) => ({ index, reason })),
    )
    assert.ok(listed.every(({ path }) => path.length <= 4097))
  })

  test('when mim embed reads them then they are the same', async () => {
    const stream = await openItemStream(db, odd, columns)
    const found: (string | boolean | null)[] = []
    for await (const { pictures } of compareItems(stream, false, (ids) => ({
      ...{ statuses: ids.map(() => 'new' as const), wereBroken: ids.map(() => false) },
      rows: ids.map((_, i) => i),
    }))) {
      found.push(...pictures.map((one) => (one instanceof Error ? one.message : one === null ? null : true)))
    }
    check(found)
  })

  test('when a report shows them then it has those that are pictures', async () => {
    const { items } = await lookUpItems(
      db,
      odd,
      columns,
      values.map((_, i) => BigInt(i)),
    )
    const place = { folder: join(folder, 'odd'), maxPixels: 1e6 }
    for (const [i, [name, , expected]] of values.entries()) {
      const shown = await thumbnail(items.get(BigInt(i))!.picture, place)
      assert.equal(shown?.startsWith('data:image/jpeg;base64,') ?? false, expected === true, name)
    }
  })

  test('when paths may leave the folder then a device is still not read', async () => {
    using pictures = await prepare(odd, { allowOutside: true })
    const device = pictures.rejected.find(({ index }) => values[index][0] === 'link to a device')
    assert.match(device!.reason, /^missing: a pipe or a device/)
  })

  test('when a sample is cut out of them then it has the readable files and the same values', async () => {
    const behaviors = `SELECT 1 AS user_id, item_id FROM read_parquet(${literal(odd)})`
    await db.run(`COPY (${behaviors}) TO ${literal(join(folder, 'odd/behaviors.parquet'))} (FORMAT parquet)`)
    const out = join(folder, 'cut')
    await subsample({ from: join(folder, 'odd'), users: 1, out, seed: 1 })
    assert.deepEqual(
      (await readdir(out)).filter((name) => !/parquet$|json$/.test(name)),
      ['good.png'],
    )
  })

  test('when most pictures are addresses then the run says that it does not fetch them', async () => {
    const web = await write(
      'web',
      "SELECT i AS item_id, 'https://example.com/' || i || '.jpg' AS image FROM range(9) r(i)",
    )
    await assert.rejects(prepare(web, { maxBad: 0.1 }), {
      id: 'picture-urls',
      message: /9 of 9 pictures are URLs, which mim does not fetch.*download them/,
    })
  })
})

describe('Pictures with bytes and a path in one', () => {
  const blob = `from_hex('${picture.toString('hex')}')`
  const structs = (db: Database) =>
    db.run(`COPY (SELECT * FROM (VALUES
      (0, {'bytes': ${blob}, 'path': 'nowhere.png'}), (1, {'bytes': ${blob}, 'path': NULL}),
      (2, {'bytes': NULL, 'path': 'good.png'}), (3, {'bytes': ''::BLOB, 'path': 'good.png'}),
      (4, {'bytes': NULL, 'path': NULL}), (5, NULL), (6, {'bytes': ''::BLOB, 'path': ' '}),
      (7, {'bytes': NULL, 'path': 'gone.png'}), (8, {'bytes': 'no picture'::BLOB, 'path': 'good.png'})
      ) t(item_id, image)) TO ${literal(join(folder, 'odd/structs.parquet'))} (FORMAT parquet)`)
  const plain = { mean: [0, 0, 0], std: [1, 1, 1] }

  test('when a column is a struct then its bytes win, and its path counts without them, in the cache and out of it', async () => {
    await structs(db)
    for (const cacheLimit of [1, 0]) {
      using pictures = await prepare(join(folder, 'odd/structs.parquet'), {
        ...{ cacheLimit, cache: join(folder, `structs ${cacheLimit}`) },
      })
      assert.deepEqual([...pictures.present], [1, 1, 1, 1, 0, 0, 0, 0, 0])
      assert.deepEqual(
        pictures.rejected.map(({ index, path, reason }) => [index, path, reason.split(':')[0]]),
        [
          [7, 'gone.png', 'missing'],
          [8, null, 'no picture'],
        ],
      )
      assert.equal(pictures.streamed, cacheLimit === 0 ? 4 : 0)
      const [one, ...others] = await Promise.all([0, 1, 2, 3].map((i) => pictures.normalized([i], plain)))
      assert.ok(Math.abs(one[0] - color.r / 255) < 0.01)
      for (const other of others) assert.deepEqual(other, one)
    }
  })

  test('when only one of its fields is known, or pictures are data URIs, then they are read, in the cache and out', async () => {
    const tables = {
      bytes: `SELECT {'bytes': ${blob}, 'path': NULL::INTEGER} AS image`,
      path: `SELECT {'path': 'good.png', 'width': 24} AS image`,
      uri: `SELECT ${literal(dataUri)} AS image`,
    }
    for (const [name, query] of Object.entries(tables)) {
      const path = await write(`odd/${name}`, `SELECT 1 AS item_id, * FROM (${query})`)
      for (const cacheLimit of [1, 0]) {
        using pictures = await prepare(path, { cacheLimit, cache: join(folder, `${name} ${cacheLimit}`) })
        assert.ok(Math.abs((await pictures.normalized([0], plain))[0] - color.r / 255) < 0.01, name)
      }
    }
  })

  test('when an item has a list of pictures, or none in a struct, then the column is refused with a remedy', async () => {
    const lists = [`[${blob}]`, `[{'bytes': ${blob}, 'path': NULL::VARCHAR}]`, "['a.png', 'b.png']"]
    for (const [i, list] of lists.entries()) {
      const path = await write(`odd/list${i}`, `SELECT 1 AS item_id, ${list} AS image`)
      await assert.rejects(loadItems(db, path, columns), {
        id: 'column-type',
        message: /column 'image' is .*\[\]; expected one picture: .*; .*write the first of each list/,
      })
    }
    const other = await write('odd/other', "SELECT 1 AS item_id, {'url': 'a.png'} AS image")
    await assert.rejects(openItemStream(db, other, columns), { id: 'column-type', message: /struct<bytes, path>/ })
  })

  test('when fields have other cases or lie beside nested ones then the own ones are read', async () => {
    const tables = {
      nested: `SELECT {'meta': {'path': 'gone.png', 'bytes': ''::BLOB}, 'bytes': ${blob}} AS image`,
      cased: `SELECT {'Path': NULL::VARCHAR, 'BYTES': ${blob}} AS image`,
      quoted: `SELECT {'a "b", (c': 1, 'path': 'good.png'} AS image`,
    }
    for (const [name, query] of Object.entries(tables)) {
      const path = await write(`odd/own ${name}`, `SELECT 1 AS item_id, * FROM (${query})`)
      using pictures = await prepare(path, { cache: join(folder, `own ${name}`) })
      assert.ok(Math.abs((await pictures.normalized([0], plain))[0] - color.r / 255) < 0.01, name)
    }
  })

  test('when a struct has neither field of its own, or its bytes have another name, then the column is refused', async () => {
    for (const [name, value] of Object.entries({
      nested: `{'meta': {'bytes': ${blob}, 'path': 'good.png'}}`,
      named: `{'path': NULL::VARCHAR, 'image bytes': ${blob}}`,
      spaced: `{'image bytes': ${blob}, 'file path': 'good.png'}`,
    })) {
      const path = await write(`odd/foreign ${name}`, `SELECT 1 AS item_id, ${value} AS image`)
      const refusal = { id: 'column-type', message: /column 'image' is STRUCT.*; expected .*struct<bytes, path>/ }
      await assert.rejects(loadItems(db, path, columns), refusal)
      await assert.rejects(openItemStream(db, path, columns), refusal)
    }
  })
})
