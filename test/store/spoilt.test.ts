/** Tables that are not what their manifest says: refused when they are opened, read, or checked in full. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkTable } from '../../src/stages/embed/check.js'
import { writeTable } from '../../src/stages/embed/publish.js'
import { Cursor, EmbeddingTable, HnswIndex, type Id, mergedRows } from '../../src/store/index.js'
import { assertRefused } from '../errors/refused.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'
import { madeTable, vectorOf, width } from './madeTable.js'

const [db, folder] = [await openDatabase(), await temporaryFolder()]
const at = (...names: string[]) => join(folder, ...names)
const count = 1100
const numbers = Array.from({ length: count }, (_, i): Id => BigInt(10 * i))
const texts = Array.from({ length: count }, (_, i): Id => `sku-${String(i).padStart(5, '0')}`)
const formats = { lists: 'variable', safetensors: true } as const
for (const [name, idType, ids, type] of [
  ['numbers', 'BIGINT', numbers, 'float32'],
  ['texts', 'VARCHAR', texts, 'float32'],
  ['small', 'INTEGER', numbers.slice(0, 5), 'int8'],
] as const) {
  ;(await madeTable(at(name), idType, ids, type, undefined, formats)).close()
}

/** A copy of a table with other bytes in a file. */
function spoil(of: string, name: string, change: (bytes: Buffer) => Buffer | string): string {
  rmSync(at('copy'), { recursive: true, force: true })
  cpSync(at(of), at('copy'), { recursive: true })
  writeFileSync(at('copy', name), change(readFileSync(at('copy', name))))
  return at('copy')
}

const manifestWith = (of: string, change: Record<string, unknown>) =>
  spoil(of, 'manifest.json', (bytes) => JSON.stringify({ ...JSON.parse(bytes.toString()), ...change }))

/** A header of 128 bytes with this text, and these version bytes. */
function header(text: string, version = '\x01\x00', length = 118): Buffer {
  const out = Buffer.alloc(128, ' ')
  out.write(`\x93NUMPY${version}`, 0, 'latin1')
  out.writeUInt16LE(length, 8)
  out.write(text, 10)
  out.write('\n', 127)
  return out
}
const headed = (text: string, version?: string, length?: number) => (bytes: Buffer) =>
  Buffer.concat([header(text, version, length), bytes.subarray(128)])
const shape = `(${count}, ${width}), }`

/** What is wrong when a table is opened. */
const refused: [name: string, make: () => string, message: RegExp][] = [
  [
    'fortran order',
    () => spoil('numbers', 'embedding.npy', headed(`{'descr': '<f4', 'fortran_order': True, 'shape': ${shape}`)),
    /embedding\.npy: fortran_order is True/,
  ],
  [
    'big endian',
    () => spoil('numbers', 'embedding.npy', headed(`{'descr': '>f4', 'fortran_order': False, 'shape': ${shape}`)),
    /embedding\.npy: numbers of type >f4/,
  ],
  [
    'objects',
    () => spoil('numbers', 'embedding.npy', headed(`{'descr': '|O', 'fortran_order': False, 'shape': ${shape}`)),
    /embedding\.npy: numbers of type \|O/,
  ],
  [
    'fields',
    () =>
      spoil('numbers', 'embedding.npy', headed(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ${shape}`)),
    /embedding\.npy: its header is /,
  ],
  [
    'version 2',
    () =>
      spoil(
        'numbers',
        'embedding.npy',
        headed(`{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}`, '\x02\x00'),
      ),
    /version 2\.0 of the \.npy format/,
  ],
  [
    'a long header',
    () =>
      spoil(
        'numbers',
        'embedding.npy',
        headed(`{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}`, '\x01\x00', 246),
      ),
    /a header of 246 bytes/,
  ],
  [
    'another width',
    () =>
      spoil(
        'numbers',
        'embedding.npy',
        headed(`{'descr': '<f4', 'fortran_order': False, 'shape': (${count / 2}, ${2 * width}), }`),
      ),
    /embedding\.npy: <f4 \[550, 16\]; expected <f4 \[1100, 8\], as in the manifest/,
  ],
  [
    'another type',
    () =>
      spoil(
        'numbers',
        'text_embedding.npy',
        headed(`{'descr': '<i8', 'fortran_order': False, 'shape': (${count}, ${width / 2}), }`),
      ),
    /text_embedding\.npy: <i8 /,
  ],
  [
    'garbage',
    () => spoil('numbers', 'present.npy', (bytes) => Buffer.alloc(bytes.length, 'x')),
    /present\.npy: not a \.npy file/,
  ],
  [
    'a file too long',
    () => spoil('numbers', 'embedding.npy', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
    /embedding\.npy: \d+ bytes; expected \d+, as in the manifest/,
  ],
  [
    'int8 over floats',
    () => manifestWith('numbers', { type: 'int8', scale: 1 / 127 }),
    /embedding\.npy: <f4 \[1100, 8\]; expected \|i1 /,
  ],
  ['negative rows', () => manifestWith('numbers', { rows: -1 }), /manifest\.json: rows: /],
  ['no scale', () => manifestWith('small', { scale: undefined }), /manifest\.json: scale: /],
  ['scale 0', () => manifestWith('small', { scale: 0 }), /manifest\.json: scale: /],
  ['scale NaN', () => manifestWith('small', { scale: null }), /manifest\.json: scale: /],
  [
    'ids of another kind',
    () => manifestWith('numbers', { ids: 'string' }),
    /manifest\.json: ids: "string": not the kind of id_type/,
  ],
  [
    'SQL as a type',
    () => manifestWith('numbers', { id_type: 'BIGINT); DROP TABLE x; --' }),
    /manifest\.json: id_type: /,
  ],
  [
    'sums of another folder',
    () => manifestWith('numbers', { files: { '../x': { bytes: 1, sha256: '0'.repeat(64) } } }),
    /manifest\.json: files/,
  ],
  ['null', () => spoil('numbers', 'manifest.json', () => 'null'), /manifest\.json: null: /],
  [
    'a manifest cut off',
    () => spoil('numbers', 'manifest.json', (bytes) => bytes.subarray(0, 50)),
    /manifest\.json: the file is cut short/,
  ],
  [
    'firsts that go back',
    () => spoil('numbers', 'item_id.firsts', () => JSON.stringify(['0', '9000', '5120'])),
    /item_id\.firsts: /,
  ],
  [
    'firsts of letters',
    () => spoil('numbers', 'item_id.firsts', (bytes) => bytes.toString().replace('5120', 'five')),
    /item_id\.firsts: 1: /,
  ],
  [
    'ends beyond the text',
    () =>
      spoil('texts', 'item_id.ends.npy', (bytes) => {
        bytes.writeBigInt64LE(2n ** 40n, bytes.length - 8)
        return bytes
      }),
    /item_id\.utf8: 9900 bytes; expected 1099511627776/,
  ],
]

for (const [name, make, message] of refused) {
  test(`when a table has ${name} then it is refused when it is opened`, () =>
    assertRefused(() => EmbeddingTable.open(make()), 'store-broken', message))
}

const swapped = (bytes: Buffer) => {
  const [a, b] = [bytes.readBigInt64LE(128 + 8 * 20), bytes.readBigInt64LE(128 + 8 * 21)]
  bytes.writeBigInt64LE(b, 128 + 8 * 20)
  bytes.writeBigInt64LE(a, 128 + 8 * 21)
  return bytes
}
const twice = (bytes: Buffer) => {
  bytes.copy(bytes, 128 + 8 * 21, 128 + 8 * 20, 128 + 8 * 21)
  return bytes
}
const backwards = (bytes: Buffer) => {
  bytes.writeBigInt64LE(3n, 128 + 8 * 20)
  return bytes
}

/** Ids that do not ascend: a search would miss some of them. */
const unsorted: [name: string, make: () => string, ids: Id[], message: RegExp][] = [
  [
    'ids out of order',
    () => spoil('numbers', 'item_id.npy', swapped),
    [210n],
    /item_id\.npy: row 22: id 200; expected ascending ids/,
  ],
  ['an id twice', () => spoil('numbers', 'item_id.npy', twice), [200n], /item_id\.npy: row 22: id 200; /],
  [
    'ends that go back',
    () => spoil('texts', 'item_id.ends.npy', backwards),
    ['sku-00020'],
    /item_id\.ends\.npy: row 21: an id that ends at byte 3/,
  ],
  [
    'another first id of a block',
    () =>
      spoil('numbers', 'item_id.npy', (bytes) => {
        bytes.writeBigInt64LE(5111n, 128 + 8 * 512)
        return bytes
      }),
    [5120n],
    /item_id\.npy: row 513: id 5111/,
  ],
]

for (const [name, make, ids, message] of unsorted) {
  test(`when a table has ${name} then it is refused by who looks ids up, copies rows, or checks it`, async () => {
    using table = EmbeddingTable.open(make())
    await assertRefused(() => table.find(ids), 'store-broken', message)
    const copy = () => [...mergedRows([new Cursor(table.ids, table.rows)], ([one]) => one, table.rows)]
    await assertRefused(copy, 'store-broken', message)
    const { problems, checksums } = await checkTable(db, table)
    assert.equal(checksums, 'different')
    assert.ok(
      problems.some((problem) => message.test(problem)),
      problems.join('\n'),
    )
  })
}

test('when a byte of any file of a table is another then the full check names the file, and says nothing of a whole one', async () => {
  for (const of of ['numbers', 'texts']) {
    using whole = EmbeddingTable.open(at(of))
    assert.deepEqual((({ checksums, problems }) => [checksums, problems])(await checkTable(db, whole)), ['equal', []])
    const names = Object.keys(whole.manifest.files!)
    assert.equal(names.length, of === 'texts' ? 10 : 9)
    for (const name of names.filter((each) => /\.(npy|safetensors|parquet)$/.test(each))) {
      const path = spoil(of, name, (bytes) => {
        // In the numbers, where nothing but a checksum shows it.
        bytes[bytes.length - 300] ^= 1
        return bytes
      })
      using table = EmbeddingTable.open(path)
      const { problems, checksums } = await checkTable(db, table)
      assert.equal(checksums, 'different')
      assert.ok(
        problems.some((problem) => problem.startsWith(`${name}: another content than was written`)),
        `${name}: ${problems}`,
      )
    }
  }
})

test('when a Parquet file of a table is cut off or missing then its vectors are read, and the full check names it', async () => {
  const part = 'parquet/part-00000.parquet'
  const path = spoil('numbers', part, (bytes) => bytes.subarray(0, 100))
  using table = EmbeddingTable.open(path)
  assert.deepEqual(table.get([30n]).vectors, vectorOf(30n))
  const cut = (await checkTable(db, table)).problems.join('\n')
  assert.match(cut, /^parquet\/part-00000\.parquet: 100 bytes; expected \d+, as in the manifest: copy the table again/)
  rmSync(join(path, part))
  const missing = (await checkTable(db, table)).problems.join('\n')
  assert.match(missing, /^parquet\/part-00000\.parquet: the file is missing: .*\n.*parquet: 0 rows; expected 1100/)
})

test('when the Parquet files of a table have other rows than its arrays then the full check says so', async () => {
  const path = spoil('numbers', 'manifest.json', (bytes) => {
    // A table of an earlier version: without checksums it opens as before.
    const { files: _, ...rest } = JSON.parse(bytes.toString())
    return JSON.stringify(rest)
  })
  cpSync(at('small/parquet/part-00000.parquet'), join(path, 'parquet/part-00000.parquet'))
  using table = EmbeddingTable.open(path)
  const { problems, checksums } = await checkTable(db, table)
  assert.equal(checksums, 'none')
  assert.match(problems.join('\n'), /parquet: 5 rows; expected 1100, as in the manifest/)
})

test('when a vector is not finite or zero then it is not published, and the error names item and model', async () => {
  const bad = (value: number) => (id: Id) => (id === 30n ? new Float32Array(width).fill(value) : vectorOf(id))
  let i = 0
  for (const [value, type, message] of [
    [Number.NaN, 'float32', /^item 30: embedding has a number that is NaN; it is of the model v1; /],
    [Number.POSITIVE_INFINITY, 'float32', /^item 30: embedding has a number that is Infinity; /],
    [0, 'float32', /^item 30: embedding is zero: /],
    // As int8 NaN becomes zero.
    [Number.NaN, 'int8', /^item 30: embedding is zero: /],
  ] as const) {
    const path = at(`bad-${i++}`)
    const made = () => madeTable(path, 'BIGINT', numbers.slice(0, 9), type, bad(value))
    await assertRefused(made, 'vector-not-usable', message)
    await assertRefused(() => EmbeddingTable.open(path), 'store-missing', /no embedding table/)
  }
})

test('when an older table has such a vector then its rows are not copied into another', async () => {
  const path = spoil('numbers', 'image_embedding.npy', (bytes) => {
    bytes.writeFloatLE(Number.NaN, 128 + 4 * width * 4)
    return bytes
  })
  using table = EmbeddingTable.open(path)
  const target = at('copied')
  cpSync(path, target, { recursive: true })
  const copy = () =>
    writeTable(
      target,
      mergedRows([new Cursor(table.ids, table.rows)], ([one]) => one, table.rows),
      table.manifest,
      false,
      () => {},
    )
  await assertRefused(copy, 'vector-not-usable', /^item 40: image_embedding has a number that is NaN/)
})

test('when an index is spoilt or has no checksum then it is built again, and a line says so', async () => {
  const build = async () => {
    const lines: string[] = []
    using table = EmbeddingTable.open(at('numbers'))
    const index = await HnswIndex.open(
      table,
      () => {},
      (line) => lines.push(line),
    )
    assert.equal(index.nearest(vectorOf(numbers[7]), 1)[0].row, 7)
    return lines
  }
  assert.deepEqual(await build(), [])
  assert.deepEqual(await build(), [])
  const file = at('numbers/hnsw.usearch')
  for (const change of [
    (bytes: Buffer) => bytes.fill(0xff, 200, 400),
    (bytes: Buffer) => bytes.subarray(0, 1000),
    (bytes: Buffer) => Buffer.alloc(bytes.length),
  ]) {
    writeFileSync(file, change(readFileSync(file)))
    assert.match((await build()).join(), /^the index is built again: .*hnsw\.usearch/)
    assert.deepEqual(await build(), [])
  }
  rmSync(at('numbers/hnsw.usearch.sums'))
  assert.match((await build()).join(), /hnsw\.usearch has no checksum$/)
})

test('when a pipe is in place of a file of a table then it is not waited for', async () => {
  for (const name of ['embedding.npy', 'item_id.utf8', 'manifest.json']) {
    const path = spoil('texts', name, (bytes) => bytes)
    rmSync(join(path, name))
    execFileSync('mkfifo', [join(path, name)])
    await assertRefused(() => EmbeddingTable.open(path), 'store-broken', new RegExp(`${name}: not a file|a pipe`))
  }
})
