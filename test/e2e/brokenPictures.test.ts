import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import sharp from 'sharp'
import { literal } from '../../src/data/tables/duckdb.js'
import { mimJson } from '../commands/cli.js'
import { refusal } from '../refusal.js'
import { openDatabase } from '../sample/folders.js'
import { query, smallStages, workplace } from './stages.js'

const folder = await workplace()
const shop = join(folder, 'shop')
const items = join(shop, 'items.parquet')
const count = 300

const plain = (color: number, width = 24, height = 24) =>
  sharp({ create: { width, height, channels: 3, background: { r: color, g: 255 - color, b: 90 } } })

const animation = (...frames: Buffer[]) =>
  sharp(frames, { join: { animated: true } })
    .gif()
    .toBuffer()

/** Bytes of a file of each kind, null for no file. Kinds with a reason are broken. */
const kinds: [name: string, reason: string | null, bytes: (color: number) => Promise<Uint8Array | null>][] = [
  ['truncated', 'corrupt', async (c) => (await plain(c, 200, 200).jpeg().toBuffer()).subarray(0, 400)],
  ['empty', 'empty', async () => Buffer.alloc(0)],
  ['page', 'no picture', async () => Buffer.from('<!DOCTYPE html><p>404</p>')],
  ['pixel', 'blank', (c) => plain(c, 1, 1).jpeg().toBuffer()],
  ['bomb', 'too large', (c) => plain(c, 20_000, 60).png().toBuffer()],
  ['strip', null, (c) => plain(c, 20_000, 10).png().toBuffer()],
  ['cmyk', null, (c) => plain(c).toColorspace('cmyk').jpeg().toBuffer()],
  ['animated', null, async (c) => animation(await plain(c).png().toBuffer(), await plain(90).png().toBuffer())],
  ['misnamed', null, (c) => plain(c).png().toBuffer()],
  ['missing', 'missing', async () => null],
  ['outside', 'outside', async () => null],
]

before(async () => {
  await mkdir(shop)
  await writeFile(join(folder, 'secret.jpg'), await plain(0).jpeg().toBuffer())
  const rows: string[] = []
  for (let i = 0; i < count; i++) {
    const [name, , bytes] = kinds[i] ?? ['whole', null, (c: number) => plain(c).jpeg().toBuffer()]
    const content = await bytes(i % 256)
    if (content) await writeFile(join(shop, `${i}.jpg`), content)
    const path = name === 'outside' ? '../secret.jpg' : `${i}.jpg`
    rows.push(`(${i}, ${literal(`thing ${i % 50} of ${i % 7}`)}, ${literal(path)})`)
  }
  const db = await openDatabase()
  await db.run(`COPY (FROM (VALUES ${rows.join(', ')}) t(item_id, title, image)) TO ${literal(items)} (FORMAT parquet)`)
})

const arguments_ = (maxBad: number, ...more: string[]) => [
  ...smallStages(folder).pretrain,
  ...[
    '--engine',
    'wasm',
    '--epochs',
    '0.1',
    '--set',
    `data.items=${JSON.stringify(items)}`,
    '--set',
    'data.maxImagePixels=1000000',
  ],
  ...['--set', `data.maxBadImages=${maxBad}`, ...more],
]

/** What a run folder lists. The kind of a problem comes before the colon of its reason. */
const listed = (out: string) =>
  query<{ item_id: number; path: string; kind: string }>(
    "SELECT item_id, path, split_part(reason, ':', 1) AS kind FROM {rejected} ORDER BY item_id",
    { rejected: join(out, 'rejected.parquet') },
  )

test('when some pictures are broken then the run ends well and lists each with path and reason', async () => {
  const out = join(folder, 'some')
  const { broken } = await mimJson([...arguments_(0.03), '--out', out])
  const expected = kinds.flatMap(([name, kind], i) =>
    kind === null ? [] : [{ item_id: i, path: name === 'outside' ? '../secret.jpg' : `${i}.jpg`, kind }],
  )
  assert.deepEqual(await listed(out), expected)
  assert.equal(broken, expected.length)
  const embedded = join(folder, 'embedded')
  const data = ['--set', `data.items=${JSON.stringify(items)}`, '--set', 'data.maxImagePixels=1000000']
  const embed = [...smallStages(folder).embed, ...data, '--set', 'data.maxBadImages=0.03', '--checkpoint', out]
  await mimJson([...embed, '--out', embedded])
  assert.deepEqual(await listed(embedded), expected)
  const trusting = join(folder, 'trusting')
  const { broken: fewer } = await mimJson([...arguments_(0.03, '--set', 'data.allowOutside=true'), '--out', trusting])
  assert.equal(fewer, expected.length - 1)
})

test('when more pictures are broken than allowed then the run stops and names their kinds', async () => {
  const out = join(folder, 'many')
  const line = await refusal(arguments_(0.01), out, 'pictures-bad', ['rejected.parquet'])
  assert.match(line, /7 of 300 pictures are broken \(1 corrupt, 1 empty, .*\).+; expected at most 1 %/)
})
