import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../sample/folders.js'
import { mim, mimUntil } from './cli.js'

const root = await temporaryFolder()
const tiny = join(root, 'tiny')
const make = ['sample', '--out', tiny, '--size', 'tiny', '--seed', '3']
const first = await mim(make)

test('when a sample is made then progress goes to standard error and what it holds to standard output', () => {
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stdout, /^items +120\nusers +60\n/)
  assert.match(first.stdout, /^oracle_auc +0\.\d{4}$/m)
  assert.match(first.stderr, /item pictures/)
  assert.ok(['items', 'behaviors', 'impressions'].every((name) => existsSync(join(tiny, `${name}.parquet`))))
})

test('when the same sample is there already then it is kept, and with --json its truth is printed', async () => {
  const { code, stdout, stderr } = await mim([...make, '--json'])
  assert.equal(code, 0)
  assert.match(stderr, /is there already/)
  assert.deepEqual(JSON.parse(stdout), JSON.parse(readFileSync(join(tiny, 'truth.json'), 'utf8')))
})

test('when the folder holds something else then out-exists and exit code 2', async () => {
  const { code, stdout, stderr } = await mim(['sample', '--out', tiny, '--size', 'tiny', '--seed', '4'])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /^error \[out-exists\]: .*tiny already exists/)
})

test('when a data set is cut then it has as many users and other items as asked for', async () => {
  const cut = ['sample', '--from', tiny, '--users', '5', '--other-items', '1', '--out', join(root, 'cut'), '--json']
  const { code, stdout, stderr } = await mim(cut)
  assert.equal(code, 0, stderr)
  const { users, items } = JSON.parse(stdout)
  assert.deepEqual([users, items], [5, 120])
  const again = await mim(cut)
  assert.deepEqual([again.code, again.stdout], [0, stdout])
  assert.match(again.stderr, /is there already/)
})

for (const [flags, id] of [
  [['--users', '5'], 'option-conflict'],
  [['--other-items', '0.5'], 'option-conflict'],
  [['--from', tiny, '--users', '5', '--size', 'tiny'], 'option-conflict'],
  [['--from', tiny], 'option-missing'],
  [['--size', 'huge'], 'sample-size'],
  [['--seed', 'one'], 'sample-seed'],
  [['--from', tiny, '--users', 'some'], 'sample-users'],
] as const) {
  test(`when sample is called with ${flags.map((f) => (f === tiny ? 'FOLDER' : f)).join(' ')} then ${id}`, async () => {
    const { code, stderr } = await mim(['sample', '--out', join(root, 'new', 'sample'), ...flags])
    assert.equal(code, 2)
    assert.match(stderr, new RegExp(`^error \\[${id}\\]: `))
    assert.equal(existsSync(join(root, 'new')), false)
  })
}

test('when the making is interrupted then nothing is left behind', async () => {
  const folder = join(root, 'interrupted')
  const begun = () => existsSync(folder) && readdirSync(folder).length > 0
  const { code, stderr } = await mimUntil(['sample', '--out', join(folder, 'out'), '--size', 'small'], begun, 'SIGINT')
  assert.equal(code, 130, stderr)
  assert.match(stderr, /^interrupted; /m)
  assert.deepEqual(readdirSync(folder), [])
})
