/** Bad tables: files that are no Parquet, Parquet that lies, and tables that are not what a stage needs. */
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type BadInput, commands } from './badInput.js'
import { lastOf, type Place } from './prepared.js'

const { ctr, content, embed, pretrain, sft, evaluate, check, predict } = commands
const soundTable = ({ sound }: Place, name = 'impressions') => readFileSync(join(sound.data, `${name}.parquet`))
const list: BadInput[] = []

/** `mim ctr` on impressions of these bytes. */
const bytes = (name: string, make: (sound: Buffer) => string | Uint8Array, says: RegExp, id = 'table-unreadable') =>
  list.push({
    name: `impressions: ${name}`,
    make: (place) => ctr(place, { 'data.impressions': place.file('bad.parquet', make(soundTable(place))) }),
    id,
    says,
  })
const changed = (bytes: Buffer, at: number, ...values: number[]) => {
  bytes.set(values, at < 0 ? bytes.length + at : at)
  return bytes
}
const unreadable =
  /bad\.parquet: cannot be read as Parquet: .+; expected complete Parquet files; write or copy the file/
bytes('no byte', () => '', unreadable)
bytes('the first four bytes', () => 'PAR1', unreadable)
bytes('two magic words', () => 'PAR1PAR1', unreadable)
bytes('twelve bytes', () => 'PAR1\0\0\0\0PAR1', unreadable)
bytes('cut in half', (x) => x.subarray(0, x.length / 2), unreadable)
bytes('cut by a byte', (x) => x.subarray(0, -1), unreadable)
bytes('without its first half', (x) => x.subarray(x.length / 2), unreadable)
bytes('a footer of 4 GB', (x) => changed(x, -8, 255, 255, 255, 255), unreadable)
bytes('a footer of 2 GB', (x) => changed(x, -8, 255, 255, 255, 127), unreadable)
bytes('a footer of 1 GB', (x) => changed(x, -8, 0, 0, 0, 64), unreadable)
bytes('a footer of no byte', (x) => changed(x, -8, 0, 0, 0, 0), unreadable)
bytes('a footer of zeros', (x) => x.fill(0, x.length - 1000, x.length - 8), unreadable)
bytes('a footer of ones', (x) => x.fill(255, x.length - 1000, x.length - 8), unreadable)
bytes('an encrypted footer', (x) => changed(x, -4, ...Buffer.from('PARE')), unreadable)
bytes('pages of ones', (x) => x.fill(255, 4, x.length - 2000), unreadable)
bytes('pages of zeros', (x) => x.fill(0, 4, x.length - 2000), unreadable)
bytes('a text', () => 'not a table\n'.repeat(100), unreadable)
bytes('a CSV', () => 'user_id,item_id,label,ts\n1,2,0,2024-01-01\n', unreadable)
bytes('packed', (x) => gzipSync(x), unreadable)
bytes('a page of an error', () => '<!DOCTYPE html><html><title>403 Forbidden</title></html>', unreadable)
bytes(
  'a pointer of Git LFS',
  () => `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 9\n`,
  unreadable,
)
bytes('an Arrow file', () => `ARROW1\0\0${'\0'.repeat(100)}ARROW1`, unreadable)

/** `mim ctr` on the rows of a query over the sound impressions. */
const rows = (name: string, query: string, id: BadInput['id'], says: RegExp, options: Record<string, unknown> = {}) =>
  list.push({
    name: `impressions: ${name}`,
    make: async (place) => ctr(place, { 'data.impressions': await place.table('bad.parquet', query), ...options }),
    id,
    says,
  })
const all = (change: string) => `SELECT * REPLACE (${change}) FROM {impressions}`
const inRow7 = (column: string, value: string) =>
  `WITH n AS (SELECT *, row_number() OVER () AS n FROM {impressions}) SELECT * EXCLUDE (n) REPLACE (if(n = 7, ${value}, ${column}) AS ${column}) FROM n`
rows('no row', 'SELECT * FROM {impressions} LIMIT 0', 'table-empty', /bad\.parquet/)
rows('one row', 'SELECT * FROM {impressions} LIMIT 1', 'times-disjoint', /impressions from/)
rows('two rows', 'SELECT * FROM {impressions} LIMIT 2', 'labels-one-class', /bad\.parquet/)
rows('one class', all('0 AS label'), 'labels-one-class', /bad\.parquet/)
rows('no label', 'SELECT * EXCLUDE label FROM {impressions}', 'column-missing', /label/)
rows('labels as text', all("'yes' AS label"), 'column-type', /label/)
rows('labels as structs', all("{'a': label} AS label"), 'column-type', /label/)
rows('a label of 2', inRow7('label', '2'), 'label-value', /row 7/)
rows('a label of -1', inRow7('label', '-1'), 'label-value', /row 7/)
rows('a label of 0.5', inRow7('label', '0.5'), 'label-value', /row 7/)
rows('a label of NaN', inRow7('label', "'nan'::DOUBLE"), 'label-value', /row 7/)
rows('a label of 1e300', inRow7('label', '1e300'), 'label-value', /row 7/)
rows('a label that is null', inRow7('label', 'NULL'), 'label-value', /row 7/)
rows('an item id that is null', inRow7('item_id', 'NULL'), 'id-value', /row 7/)
rows('a user id that is null', inRow7('user_id', 'NULL'), 'id-value', /row 7/)
rows('item ids as text', all("'sku-' || item_id AS item_id"), 'id-types', /bad\.parquet/)
rows('item ids that are empty', all("'' AS item_id"), 'id-types', /bad\.parquet/)
rows('item ids as halves', all('item_id + 0.5 AS item_id'), 'id-value', /item_id/)
rows('item ids as NaN', all("'nan'::DOUBLE AS item_id"), 'id-value', /item_id/)
rows('item ids as structs', all("{'a': item_id} AS item_id"), 'column-type', /item_id/)
rows('item ids as lists', all('[item_id] AS item_id'), 'column-type', /item_id/)
rows('item ids as maps', all("MAP {'a': item_id} AS item_id"), 'column-type', /item_id/)
rows('item ids as times', all('ts AS item_id'), 'column-type', /item_id/)
rows('item ids as truths', all('item_id > 3 AS item_id'), 'column-type', /item_id/)
rows('item ids as bytes', all("'a'::BLOB AS item_id"), 'column-type', /item_id/)
rows('item ids of strangers', all('item_id + 1000000 AS item_id'), 'join-empty', /item_id/)
rows('a time that is null', inRow7('ts', 'NULL'), 'time-value', /row 7/)
rows('times as text', all("'yesterday' AS ts"), 'time-value', /ts/)
rows('times as truths', all('true AS ts'), 'column-type', /ts/)
rows('times as lists', all('[ts] AS ts'), 'column-type', /ts/)
rows('times at infinity', inRow7('ts', "'infinity'::TIMESTAMP"), 'time-value', /ts/)
rows('times in the year 290000', inRow7('ts', "TIMESTAMP '290000-01-01'"), 'time-value', /ts/)
rows('times before our era', inRow7('ts', "TIMESTAMP '2024-01-01 (BC)'"), 'time-range', /ts/)
rows('times of one moment', all("TIMESTAMP '2024-01-01' AS ts"), 'times-disjoint', /ts/)
rows('times below zero', all('-epoch_us(ts) AS ts'), 'time-unit', /ts/)
rows('times of day', all('ts::TIME AS ts'), 'column-type', /ts/)
rows('listed histories as text', "SELECT *, 'a,b' AS h FROM {impressions}", 'column-type', /h/, {
  'data.columns.history': 'h',
})
rows('listed histories as lists of lists', 'SELECT *, [[1]] AS h FROM {impressions}', 'column-type', /h/, {
  'data.columns.history': 'h',
})
rows('weights of NaN', "SELECT *, 'nan'::DOUBLE AS w FROM {impressions}", 'weight-value', /w/, {
  'data.columns.weight': 'w',
})
rows('weights below zero', 'SELECT *, -1 AS w FROM {impressions}', 'weight-value', /w/, { 'data.columns.weight': 'w' })
rows('weights of zero', 'SELECT *, 0 AS w FROM {impressions}', 'weight-value', /all weights/, {
  'data.columns.weight': 'w',
})
rows('a feature of lists', 'SELECT *, [1] AS f FROM {impressions}', 'column-type', /f/, { 'features.context': ['f'] })
rows('a number of text', "SELECT *, 'x' AS f FROM {impressions}", 'column-type', /f/, {
  'features.context': [{ column: 'f', kind: 'number' }],
})
rows('a number at infinity', "SELECT *, 'inf'::DOUBLE AS f FROM {impressions}", 'number-value', /f/, {
  'features.context': [{ column: 'f', kind: 'number' }],
})

/** Places that hold no table. */
const places = (
  name: string,
  make: (place: Place) => string,
  id: BadInput['id'],
  says: RegExp,
  skip: string | false = false,
) =>
  list.push({
    name: `impressions: ${name}`,
    make: (place) => ctr(place, { 'data.impressions': make(place) }),
    id,
    says,
    skip,
  })
places('a folder without files', ({ path }) => lastOf(mkdirSync(path('bad')), path('bad')), 'table-missing', /bad/)
places('a folder of texts', (place) => lastOf(place.file('bad/a.txt', 'x'), place.path('bad')), 'table-missing', /bad/)
places('a glob that fits nothing', ({ path }) => path('*.parquet'), 'table-missing', /\*\.parquet/)
places('nothing', ({ path }) => path('none.parquet'), 'table-missing', /none\.parquet/)
places('below a file', (place) => join(place.file('file', 'x'), 'x.parquet'), 'place-not-folder', /x\.parquet/)
places(
  'a link to itself',
  ({ path }) => lastOf(symlinkSync('loop.parquet', path('loop.parquet')), path('loop.parquet')),
  'place-name',
  /loop/,
)
places(
  'a link to nothing',
  ({ path }) => lastOf(symlinkSync('gone', path('link.parquet')), path('link.parquet')),
  'table-missing',
  /link/,
)
places('a name of 300 letters', ({ path }) => path(`${'x'.repeat(300)}.parquet`), 'place-name', /x/)
places('a name with a zero byte', ({ path }) => path('a\0b.parquet'), 'place-name', /a/)
places('an endless device', () => '/dev/zero', 'table-unreadable', /zero/)
places('an empty device', () => '/dev/null', 'table-unreadable', /null/)
places('a file of the system', () => '/proc/self/status', 'table-unreadable', /proc/)
places(
  'a table in a bucket',
  () => 's3://shop/impressions.parquet',
  ['extension-missing', 'table-missing', 'table-unreadable'],
  /s3:\/\/shop/,
)
places(
  'a gigabyte of zeros',
  ({ path }) => {
    const file = openSync(path('zeros.parquet'), 'w')
    ftruncateSync(file, 1e9)
    closeSync(file)
    return path('zeros.parquet')
  },
  'table-unreadable',
  /zeros\.parquet: cannot be read as Parquet/,
)

// Tables of other roles and other commands.
type Make = BadInput['make']
const add = (name: string, make: Make, id: BadInput['id'], says: RegExp, more: Partial<BadInput> = {}) =>
  list.push({ name, make, id, says, ...more })
const half = (place: Place, name: string) => {
  const bytes = soundTable(place, name)
  return place.file('bad.parquet', bytes.subarray(0, bytes.length / 2))
}
add(
  'items cut in half, to pretrain',
  (p) => pretrain(p, { 'data.items': half(p, 'items') }),
  'table-unreadable',
  unreadable,
)
add('items cut in half, to embed', (p) => embed(p, { 'data.items': half(p, 'items') }), 'table-unreadable', unreadable)
add('items cut in half, to sft', (p) => sft(p, { 'data.items': half(p, 'items') }), 'table-unreadable', unreadable)
add('items cut in half, to ctr', (p) => ctr(p, { 'data.items': half(p, 'items') }), 'table-unreadable', unreadable)
add(
  'behaviors cut in half, to sft',
  (p) => sft(p, { 'data.behaviors': half(p, 'behaviors') }),
  'table-unreadable',
  unreadable,
)
add(
  'behaviors cut in half, to ctr',
  (p) => ctr(p, { 'data.behaviors': half(p, 'behaviors') }),
  'table-unreadable',
  unreadable,
)
add(
  'impressions cut in half, to predict',
  (p) => predict(p, p.sound.ctr, '--impressions', half(p, 'impressions')),
  'table-unreadable',
  unreadable,
)
add(
  'impressions cut in half, to embed check',
  (p) => check(p.sound.table, '--impressions', half(p, 'impressions')),
  'table-unreadable',
  unreadable,
)
add('vectors cut in half', (p) => content(p, half(p, 'items')), 'table-unreadable', unreadable)
add('predictions cut in half', (p) => evaluate(half(p, 'impressions')), 'table-unreadable', unreadable)
add(
  'a data set cut in half, to sample',
  (p) => {
    const data = p.copy('data')
    p.file('data/items.parquet', soundTable(p, 'items').subarray(0, 5000))
    return ['sample', '--from', data, '--users', '3', '--out', p.out]
  },
  'table-unreadable',
  /items\.parquet: cannot be read as Parquet/,
)
const items = (name: string, query: string, id: BadInput['id'], says: RegExp, more?: Partial<BadInput>) =>
  add(`items: ${name}`, async (p) => embed(p, { 'data.items': await p.table('bad.parquet', query) }), id, says, more)
items('no row', 'SELECT * FROM {items} LIMIT 0', 'items-empty', /bad/)
items('no id', 'SELECT * EXCLUDE item_id FROM {items}', 'column-missing', /item_id/)
items('an id twice', 'SELECT * FROM {items} UNION ALL (SELECT * FROM {items} LIMIT 1)', 'duplicate-id', /item_id/)
items('an id that is null', 'SELECT * REPLACE (nullif(item_id, 10004) AS item_id) FROM {items}', 'id-value', /item_id/)
items('ids as structs', "SELECT * REPLACE ({'a': item_id} AS item_id) FROM {items}", 'column-type', /item_id/)
items(
  'ids as hugeints',
  'SELECT * REPLACE (170141183460469231731687303715884105727 - item_id AS item_id) FROM {items}',
  'duplicate-id',
  /item_id/,
)
items('neither titles nor pictures', 'SELECT item_id, category FROM {items}', 'items-content', /title/)
items('titles as lists', 'SELECT * REPLACE ([title] AS title) FROM {items}', 'column-type', /title/)
items('titles as bytes', 'SELECT * REPLACE (title::BLOB AS title) FROM {items}', 'column-type', /title/)
items('pictures as numbers', 'SELECT * REPLACE (item_id AS image) FROM {items}', 'column-type', /image/)
items('pictures as lists of bytes', 'SELECT * REPLACE ([1::UTINYINT] AS image) FROM {items}', 'column-type', /image/)
items('pictures as structs of others', "SELECT * REPLACE ({'a': 1} AS image) FROM {items}", 'column-type', /image/)
items(
  'pictures as addresses',
  "SELECT * REPLACE ('https://example.com/a.jpg' AS image) FROM {items}",
  'picture-urls',
  /image/,
  { leaves: ['out/rejected.parquet'] },
)
add(
  'items: parts of other types',
  async (p) => {
    await p.table('bad/a.parquet', 'SELECT * FROM {items} LIMIT 30')
    await p.table('bad/b.parquet', "SELECT * REPLACE ('sku-' || item_id AS item_id) FROM {items} OFFSET 30")
    return embed(p, { 'data.items': p.path('bad') })
  },
  'id-parts',
  /item_id/,
)
add(
  'items: a part cut in half',
  async (p) => {
    const a = await p.table('bad/a.parquet', 'SELECT * FROM {items} LIMIT 30')
    p.file('bad/b.parquet', readFileSync(a).subarray(0, 9000))
    return embed(p, { 'data.items': p.path('bad') })
  },
  'table-unreadable',
  /bad\/b\.parquet/,
)
add(
  'items: a title that is not UTF-8',
  async (p) => {
    const path = await p.table(
      'bad.parquet',
      "SELECT item_id, 'caf_ ' || item_id AS title FROM {items}",
      ', COMPRESSION uncompressed',
    )
    const bytes = readFileSync(path)
    for (let at = bytes.indexOf('caf_'); at >= 0; at = bytes.indexOf('caf_', at)) bytes[at + 3] = 0xe9
    p.file('bad.parquet', bytes)
    return embed(p, { 'data.items': path })
  },
  'table-unreadable',
  /title/,
)
const behaviors = (name: string, query: string, id: BadInput['id'], says: RegExp) =>
  add(`behaviors: ${name}`, async (p) => sft(p, { 'data.behaviors': await p.table('bad.parquet', query) }), id, says)
behaviors('no row', 'SELECT * FROM {behaviors} LIMIT 0', 'table-empty', /bad/)
behaviors('no time', 'SELECT * EXCLUDE ts FROM {behaviors}', 'column-missing', /ts/)
behaviors('actions as numbers', 'SELECT * REPLACE (3 AS action) FROM {behaviors}', 'column-type', /action/)
behaviors(
  'actions of others',
  "SELECT * REPLACE ('dance' AS action) FROM {behaviors}",
  'positives-none',
  /bad\.parquet/,
)
behaviors(
  'items of strangers',
  'SELECT * REPLACE (item_id + 1000000 AS item_id) FROM {behaviors}',
  'join-empty',
  /item_id/,
)
behaviors('exposures alone', "SELECT * REPLACE ('expose' AS action) FROM {behaviors}", 'positives-none', /./)
behaviors('users as lists', 'SELECT * REPLACE ([user_id] AS user_id) FROM {behaviors}', 'column-type', /user_id/)
const vectors = (name: string, query: string, id: BadInput['id'], says: RegExp) =>
  add(`vectors: ${name}`, async (p) => content(p, await p.table('bad.parquet', query)), id, says)
/** Of lists: as floats. */
const withVectors = (vector: string, type = '') => `SELECT item_id, ${vector}${type} AS embedding FROM {items}`
vectors('no row', `${withVectors('[1.0]', '::FLOAT[]')} LIMIT 0`, 'table-empty', /bad/)
vectors('no vector', 'SELECT item_id FROM {items}', 'column-missing', /embedding/)
vectors('numbers', withVectors('1.5'), 'column-type', /embedding/)
vectors('text', withVectors("'[1, 2]'"), 'column-type', /embedding/)
vectors('lists of text', withVectors("['a']"), 'column-type', /embedding/)
vectors('lists of lists', withVectors('[[1.0]]'), 'column-type', /embedding/)
vectors('NaN', withVectors("[1.0, if(item_id % 7 = 3, 'nan'::FLOAT, 2)]::FLOAT[]"), 'vector-value', /embedding/)
vectors('infinity', withVectors("[1.0, if(item_id % 7 = 3, 'inf'::FLOAT, 2)]::FLOAT[]"), 'vector-value', /embedding/)
vectors('a double too large for a float', withVectors('[1.0, 1e300]', '::DOUBLE[]'), 'vector-value', /embedding/)
vectors(
  'lists of two lengths',
  withVectors('if(item_id % 7 = 3, [1.0], [1.0, 2.0])', '::FLOAT[]'),
  'vector-lengths',
  /embedding/,
)
vectors('lists without numbers', withVectors('[]::FLOAT[]'), 'vector-lengths', /embedding/)
vectors(
  'an id twice',
  `${withVectors('[1.0]', '::FLOAT[]')} UNION ALL (${withVectors('[1.0]', '::FLOAT[]')} LIMIT 1)`,
  'duplicate-id',
  /item_id/,
)
vectors(
  'items of strangers',
  'SELECT item_id + 1000000 AS item_id, [1.0, 2.0]::FLOAT[] AS embedding FROM {items}',
  'join-empty',
  /item_id/,
)
const predictions = (name: string, query: string, id: BadInput['id'], says: RegExp) =>
  add(`predictions: ${name}`, async (p) => evaluate(await p.table('bad.parquet', query)), id, says)
const scored = (probability: string, label = 'label') =>
  `SELECT user_id, ${label} AS label, ${probability} AS probability FROM {impressions}`
predictions('no score', 'SELECT user_id, label FROM {impressions}', 'column-missing', /probability/)
predictions('NaN', scored("'nan'::FLOAT"), 'probability-range', /probability/)
predictions('null', scored('NULL::FLOAT'), 'probability-range', /probability/)
predictions('above one', scored('1.5'), 'probability-range', /probability/)
predictions('below zero', scored('-0.5'), 'probability-range', /probability/)
predictions('text', scored("'high'"), 'column-type', /probability/)
predictions('lists', scored('[0.5]'), 'column-type', /probability/)
predictions('labels of 3', scored('0.5', '3'), 'label-value', /label/)
predictions('labels that are null', scored('0.5', 'NULL::INT'), 'label-value', /label/)

export const tables = list
