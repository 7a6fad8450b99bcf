import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Random } from '../../src/base/random.js'
import { changesOf } from '../../src/data/fingerprint/changes.js'
import { printOfFiles } from '../../src/data/fingerprint/files.js'
import { printOfTable } from '../../src/data/fingerprint/table.js'
import { openTables } from './tables.js'

const { folder, db } = await openTables()

/** A file far larger than `limit`: a small column, a large one, a footer. */
const size = 2 ** 23
const limit = 2 ** 18
const path = join(folder, 'large')
const chunks = new Map([
  [
    path,
    [
      { column: 'label', start: 4, length: 1000 },
      { column: 'id', start: 1004, length: size - 3004 },
    ],
  ],
])
const random = Random.of('large')
const bytes = Buffer.from(Uint8Array.from({ length: size }, () => random.int(256)))
writeFileSync(path, bytes)
const print = () => printOfFiles([{ name: '', path }], { chunks, limit })
const before = print()

const places: [string, number, string][] = [
  ['the head of a small column', 500, "other values in column 'label'"],
  ['the head of a large column', 1005, "other values in column 'id'"],
  ['a block in the middle of a column', 2 ** 22 + 9, "other values in column 'id'"],
  ['the footer', size - 9, 'the file changed'],
]
for (const [what, at, change] of places) {
  test(`when one byte in ${what} of a large table changes then its fingerprint changes, by column`, () => {
    const other = Buffer.from(bytes)
    other[at] ^= 1
    writeFileSync(path, other)
    assert.deepEqual(changesOf(before, print()), [change])
    writeFileSync(path, bytes)
    assert.deepEqual(changesOf(before, print()), [])
  })
}

test('when a large table changes in every value then all columns do, although it is read in part', () => {
  writeFileSync(
    path,
    bytes.map((byte, i) => (i > 4 && i < size - 2000 ? 255 - byte : byte)),
  )
  assert.deepEqual(changesOf(before, print()), ['other values or another order of rows'])
  writeFileSync(path, bytes)
})

test('when a table is a pattern or has columns in columns then files and top columns are named', async () => {
  const rows = (a: number) => `SELECT ${a} AS id, {'x': [1, ${a}], 'y z': 'q'} AS "a b" FROM range(9)`
  for (const i of [1, 2]) await db.writeParquet(rows(i), join(folder, `p-${i}.parquet`))
  const pattern = join(folder, 'p-*.parquet')
  const was = await printOfTable(db, pattern)
  assert.deepEqual(
    was.files.map(({ name }) => name),
    ['p-1.parquet', 'p-2.parquet'],
  )
  assert.deepEqual(
    was.columns!.map(({ name }) => name),
    ['id', 'a b'],
  )
  assert.equal(was.rows, 18)
  await db.writeParquet(rows(2).replace("'q'", "'r'"), join(folder, 'p-2.parquet'))
  assert.deepEqual(changesOf(was, await printOfTable(db, pattern)), ["other values in column 'a b' of p-2.parquet"])
})
