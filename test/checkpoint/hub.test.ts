import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { thisProcess, tokenOf } from '../../src/base/processes/owner.js'
import { openCheckpoint } from '../../src/checkpoint/hub.js'
import { assertRefused } from '../errors/refused.js'
import { temporaryFolder } from '../sample/folders.js'
import { inOtherFiles } from './folders.js'
import { commit, entryOf, hubServer, json } from './hubServer.js'
import { writeSmallCheckpoint } from './small.js'

const folder = await temporaryFolder()
const published = join(folder, 'published')
writeSmallCheckpoint(published)
const hub = await hubServer(published)
const weights = 'model.safetensors'
let home = ''
let homes = 0

beforeEach(() => {
  home = join(folder, `home ${homes++}`)
  hub.behavior = {}
  hub.asked = []
  const set = { HF_ENDPOINT: hub.url, HF_HOME: home, HF_TOKEN: '' }
  for (const name of Object.keys(process.env)) if (/^(HF|HUGGINGFACE)_/.test(name)) delete process.env[name]
  Object.assign(process.env, set)
})

const bars = { bar: () => ({ update() {}, stop() {} }) }
const open = (name = 'hf:shop/encoder') => openCheckpoint(name, bars, () => {})
const inCache = (...path: string[]) => join(home, 'hub/models--shop--encoder', ...path)
const downloads = () => hub.asked.filter((path) => path.includes('/resolve/')).map((path) => path.split('/').at(-1))

/** Asserts that the commit's folder has what the server publishes, linked as by Python. */
function assertWhole(): void {
  for (const name of readdirSync(inCache('snapshots', commit))) {
    assert.deepEqual(readFileSync(inCache('snapshots', commit, name)), readFileSync(join(published, name)), name)
    const { oid, lfs } = entryOf(name, readFileSync(join(published, name)))
    const hash = (lfs as { oid: string } | undefined)?.oid ?? oid
    assert.equal(readlinkSync(inCache('snapshots', commit, name)), `../../blobs/${hash}`)
  }
  assert.ok(existsSync(inCache('snapshots', commit, weights)))
  assert.deepEqual(
    readdirSync(inCache('blobs')).filter((name) => !/^[0-9a-f]+$/.test(name)),
    [],
  )
}

test('when a checkpoint is downloaded then the cache is as by Python, and a second time nothing is downloaded', async () => {
  await open()
  assertWhole()
  assert.equal(readFileSync(inCache('refs/main'), 'utf8'), commit)
  hub.asked = []
  await open()
  assert.deepEqual(downloads(), [])
})

test('when a file in the cache is spoilt then it is downloaded again', async () => {
  await open()
  for (const [name, spoil] of [
    ['config.json', (bytes: Buffer) => bytes.subarray(1)],
    [weights, (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['config.json', (bytes: Buffer) => Buffer.from(bytes).fill(32, 10, 20)],
    [weights, (bytes: Buffer) => Buffer.from(bytes).fill(1, bytes.length - 8)],
  ] as const) {
    const path = inCache('snapshots', commit, name)
    const { atime, mtime } = statSync(path)
    writeFileSync(path, spoil(readFileSync(path)))
    // A time of modification that is as before hides nothing.
    utimesSync(path, atime, mtime)
    hub.asked = []
    await open()
    assert.deepEqual(downloads(), [name])
    assertWhole()
  }
})

test('when a link in the cache leads outside then nothing is written there', async () => {
  const outside = join(folder, 'outside.json')
  writeFileSync(outside, 'mine')
  mkdirSync(inCache('snapshots', commit), { recursive: true })
  mkdirSync(inCache('blobs'), { recursive: true })
  symlinkSync(outside, inCache('snapshots', commit, 'config.json'))
  symlinkSync(
    outside,
    inCache('blobs', entryOf('config.json', readFileSync(join(published, 'config.json'))).oid as string),
  )
  await open()
  assert.equal(readFileSync(outside, 'utf8'), 'mine')
  assertWhole()
})

test('when the folder of a commit has a file that the commit lacks then it is not read', async () => {
  await open()
  writeFileSync(inCache('snapshots', commit, 'mim.json'), '{"fusion": {"width": 12}}')
  assert.deepEqual((await open()).mim, {})
})

test('when a download was killed then its temporary file goes, and those of running processes stay', async () => {
  mkdirSync(inCache('blobs'), { recursive: true })
  const name = (owner: object) => `0a.mim-${tokenOf({ ...thisProcess(), ...owner })}.incomplete`
  const names = [name({ started: '1' }), name({}), name({ host: 'elsewhere' }), name({ host: 'long ago' })]
  for (const file of names) writeFileSync(inCache('blobs', file), '')
  utimesSync(inCache('blobs', names[3]), 0, 0)
  await open()
  const left = readdirSync(inCache('blobs')).filter((file) => file.endsWith('.incomplete'))
  assert.deepEqual(left.sort(), [names[1], names[2]].sort())
})

test('when servers name files by hashes without git then they are checked as well', async () => {
  const plain = await import('node:crypto')
  for (const algorithm of ['sha1', 'sha256']) {
    const oidOf = (path: unknown) =>
      plain
        .createHash(algorithm)
        .update(readFileSync(join(published, path as string)))
        .digest('hex')
    hub.behavior = { entries: (entries) => entries.map(({ lfs: _, ...rest }) => ({ ...rest, oid: oidOf(rest.path) })) }
    await open()
  }
})

test('when a name or revision would be a path then it is refused before anything is asked', async () => {
  for (const name of [
    '..',
    '../..',
    'a/..',
    '.a/b',
    'a--b/c',
    'shop/encoder@../../x',
    'shop/encoder@/etc',
    'a/b@x..y',
  ]) {
    await assertRefused(() => open(`hf:${name}`), 'hub-name', /expected hf:owner\/name/)
  }
  assert.deepEqual(hub.asked, [])
  await open('hf:shop/encoder@refs/pr/1')
  assert.equal(readFileSync(inCache('refs/refs/pr/1'), 'utf8'), commit)
})

test('when an address or a time is malformed then the error names the variable and no password', async () => {
  for (const [name, value] of [
    ['HF_ENDPOINT', 'htp://me:hunter2@server'],
    ['HF_ENDPOINT', 'me:hunter2@server'],
    ['HF_HUB_ETAG_TIMEOUT', 'soon'],
    ['HF_HUB_DOWNLOAD_TIMEOUT', '0'],
  ]) {
    const before = process.env[name] ?? ''
    process.env[name] = value
    await assertRefused(open, 'hub-settings', new RegExp(`^${name}: (?!.*hunter2)`))
    process.env[name] = before
  }
})

test('when the address has a password then it is sent to this server and never printed', async () => {
  const sent = new Set<string | undefined>()
  hub.behavior.answer = (_path, _response, { headers }) => {
    sent.add(headers.authorization)
    return false
  }
  process.env['HF_ENDPOINT'] = hub.url.replace('//', '//me:hunter%402@')
  process.env['HF_TOKEN'] = 'hf_secret\n'
  await open()
  assert.deepEqual([...sent], [`Basic ${Buffer.from('me:hunter@2').toString('base64')}`])
  hub.behavior.answer = (_path, response, { headers }) => {
    const error = `no hunter@2, hunter%402, hf_secret or ${headers.authorization} at http://me:hunter%402@server`
    json(response, { error }, 401)
    return true
  }
  const hidden = /: no \*\*\*, \*\*\*, \*\*\* or Basic \*\*\* at http:\/\/\*\*\*@server/
  await assertRefused(open, 'hub-files', hidden)
})

test('when files are redirected to another server then it gets no token', async () => {
  const other = await hubServer(published)
  const sent = new Set<string | undefined>()
  other.behavior.answer = (_path, _response, { headers }) => {
    sent.add(headers.authorization)
    return false
  }
  hub.behavior.answer = (path, response) => {
    if (!path.includes('/resolve/')) return false
    response.writeHead(302, { Location: `${other.url}${path}` }).end()
    return true
  }
  process.env['HF_TOKEN'] = 'hf_secret'
  await open()
  assert.deepEqual([...sent], [undefined])
})

test('when the disk has too little space then nothing is downloaded', async () => {
  const huge = { oid: 'a'.repeat(64), size: 1e15 }
  hub.behavior.entries = (entries) => entries.map((entry) => (entry.path === weights ? { ...entry, lfs: huge } : entry))
  await assertRefused(open, 'hub-space', /need 1000000\.0 GB.* GB free; free space, or set HF_HOME/)
  assert.deepEqual(downloads(), [])
})

test('when weights are in shards of torch.save then all are checked', async () => {
  const sharded = join(folder, 'sharded')
  writeSmallCheckpoint(sharded)
  inOtherFiles(sharded, 2)
  const other = await hubServer(sharded)
  process.env['HF_ENDPOINT'] = other.url
  await open()
  const shard = inCache('snapshots', commit, 'pytorch_model-2-of-2.bin')
  const bytes = readFileSync(shard)
  writeFileSync(shard, '')
  await open()
  assert.deepEqual(readFileSync(shard), bytes)
})
