import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { openTables } from '../data/tables.js'
import { runHere, setArguments } from '../refusal.js'

const { folder, write } = await openTables()
mkdirSync(join(folder, 'images'))
const count = 24
const file = (i: number) => join(folder, 'images', `${i}.png`)
/** Uncompressed: pictures of any color have the same size. */
const picture = (red: number) =>
  sharp({ create: { width: 16, height: 16, channels: 3, background: { r: red, g: 9, b: 9 } } }).png({
    compressionLevel: 0,
  })
for (let i = 0; i < count - 1; i++) await picture(10 * i).toFile(file(i))
await write(
  'items',
  `SELECT i AS item_id, 'title ' || i AS title, 'images/' || i || '.png' AS image FROM range(${count}) r(i)`,
)

const out = join(folder, 'run')
const shape = { imageSize: 16, width: 8, layers: 1, heads: 2, textLength: 8, vocabulary: 514, projection: 8 }
const options = {
  'data.root': folder,
  'data.cache': join(folder, 'cache'),
  'data.maxBadImages': 1,
  model: shape,
  'fusion.width': 8,
  'train.batch': 4,
  'train.epochs': 0,
  engine: 'wasm',
}
const pretrain = (...more: string[]) => runHere(['pretrain', ...setArguments(options), '--out', out, ...more])
/** The run was killed before its end. */
const kill = () => rmSync(join(out, 'metrics.json'), { force: true })

test('when pictures have changed, even in size and time unchanged, then a killed and a finished run are not given again', async () => {
  const first = await pretrain()
  assert.equal(first.code, undefined, first.stderr)
  const { size, atime, mtime } = statSync(file(7))
  writeFileSync(file(7), await picture(255).toBuffer())
  utimesSync(file(7), atime, mtime)
  assert.equal(statSync(file(7)).size, size)
  const named = /\n?error \[inputs-changed\]: [^\n]*pictures: other pictures: images\/7\.png;[^\n]*\n$/
  const finished = await pretrain('--resume')
  assert.deepEqual([finished.code, named.test(finished.stderr)], [2, true], finished.stderr)
  kill()
  const killed = await pretrain('--resume')
  assert.deepEqual([killed.code, named.test(killed.stderr)], [2, true], killed.stderr)
  const accepted = await pretrain('--resume', '--accept-changed')
  assert.equal(accepted.code, undefined, accepted.stderr)
  assert.match(readFileSync(join(out, 'metrics.json'), 'utf8'), /"inputs-changed"[^}]*images\/7\.png/)
  assert.match((await pretrain('--resume')).stderr, /nothing to do/)
})

test('when a picture that was missing has come then a killed run is not continued', async () => {
  kill()
  await picture(200).toFile(file(count - 1))
  const { code, stderr } = await pretrain('--resume')
  assert.equal(code, 2)
  assert.match(stderr, /error \[inputs-changed\]: [^\n]*pictures: 24 pictures can be read, were 23/)
})
