/** Servers that lie, stall or never end: each attack ends in one line, and nothing of it stays. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openCheckpoint } from '../../src/checkpoint/hub.js'
import { type Behavior, type Entry, entryOf, hubServer, json, repository } from '../checkpoint/hubServer.js'
import { writeSmallCheckpoint } from '../checkpoint/small.js'
import { refusal } from '../refusal.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
const published = join(folder, 'published')
writeSmallCheckpoint(published)
const hub = await hubServer(published)
const weights = 'model.safetensors'
const content = (name: string) => readFileSync(join(published, name))
const token = 'hf_secret'

/** Seconds in which every attack must end, on a slow machine. */
const most = 20
let [tried, survived] = [0, 0]
after(() => console.log(`hostile servers: ${tried} tried, ${survived} survived, ${tried - survived} lost`))

type Answer = NonNullable<Behavior['answer']>
/** Answers requests of paths with `part`. */
const at =
  (part: string, answer: (response: ServerResponse, path: string) => void): Answer =>
  (path, response) => {
    if (!path.includes(part)) return false
    answer(response, path)
    return true
  }
/** Writes `piece` until the other side has enough, every `pause` milliseconds. */
const endless =
  (piece: string | Buffer, pause = 0, head?: Record<string, string>) =>
  (response: ServerResponse) => {
    response.writeHead(200, { 'Content-Type': 'application/json', ...head })
    const write = () => {
      if (response.destroyed) return
      if (response.write(piece)) setTimeout(write, pause)
      else response.once('drain', write)
    }
    write()
  }
const file = (name: string, answer: (response: ServerResponse, path: string) => void) => at(`/${name}`, answer)
const silent = () => {}
const body = (bytes: string | Buffer) => (response: ServerResponse) => response.end(bytes)
const changed = (name: string, change: object) => (entries: Entry[]) =>
  entries.map((entry) => (entry.path === name ? { ...entry, ...change } : entry))
const added = (path: unknown) => (entries: Entry[]) => [...entries, { ...entryOf('x', Buffer.from('x')), path }]
const lfs = (change: object) =>
  changed(weights, { lfs: { ...(entryOf(weights, content(weights)).lfs as object), ...change } })
const withIndex = (map: object) => {
  const index = Buffer.from(JSON.stringify({ weight_map: map }))
  const names = readdirSync(published).filter((name) => name !== weights)
  return { ...Object.fromEntries(names.map((name) => [name, content(name)])), [`${weights}.index.json`]: index }
}
/** The options of the package's request for the list of files. */
const query = '?recursive=false&expand=false'
const links = (next: (path: string, count: number) => string) => {
  let count = 0
  return at('/tree/', (response, path) => {
    response.setHeader('Link', `<${next(path, ++count)}>; rel="next"`)
    json(response, [])
  })
}
const half = (name: string) => content(name).subarray(0, content(name).length / 2)
const up = '../../../../escaped'

const attacks: Record<string, { behavior: Behavior; id: string; message: RegExp }> = {}
const attack = (name: string, id: string, message: RegExp, behavior: Behavior) => {
  attacks[name] = { behavior, id, message }
}
const answers = (name: string, message: RegExp, answer: Answer, id = 'hub-answer') =>
  attack(name, id, message, { answer })

// Names that become paths.
for (const sha of [up, '/tmp', '', null, 7, ['c0ffee'], 'C0FFEE'.padEnd(40, '0'), 'c0ffee']) {
  attack(`commit ${JSON.stringify(sha)}`, 'hub-answer', /commit .+ is not a hexadecimal hash/, {
    answer: at('/revision/', (response) => json(response, { id: repository, sha })),
  })
}
for (const oid of [up, '/tmp/escaped', '', null, {}, 'a'.repeat(41)]) {
  const shown = JSON.stringify(oid)
  attack(`oid ${shown}`, 'hub-answer', /hash of config\.json is /, { entries: changed('config.json', { oid }) })
  attack(`lfs.oid ${shown}`, 'hub-answer', /hash of model\.safetensors is /, { entries: lfs({ oid }) })
}
attack('lfs.oid of git', 'hub-answer', /hash of model/, { entries: lfs({ oid: 'a'.repeat(40) }) })
for (const path of [up, '/etc/passwd', 'a/../../escaped', '..\\escaped', 'C:\\escaped', 'config.json\0']) {
  attack(`path ${JSON.stringify(path)}`, 'hub-answer', /path .+ is outside of the repository/, { entries: added(path) })
}
attack('path 7', 'hub-answer', /entry without a path/, { entries: added(7) })
attack('shard elsewhere', 'weights-missing', /escaped\.safetensors' is not the name/, {
  files: withIndex({ a: `${up}.safetensors` }),
})
attack('shard not there', 'hub-files', /has no model-1\.safetensors/, {
  files: withIndex({ a: 'model-1.safetensors' }),
})

// Sizes and lists that are none.
for (const size of [-1, 0.5, 1e300, '12', null, [3]]) {
  const shown = JSON.stringify(size)
  attack(`size ${shown}`, 'hub-answer', /size of config\.json/, { entries: changed('config.json', { size }) })
  attack(`lfs.size ${shown}`, 'hub-answer', /size of model\.safetensors/, { entries: lfs({ size }) })
}
attack('weights of a petabyte', 'hub-space', /need 1000000\.0 GB/, { entries: lfs({ size: 1e15 }) })
attack('a text of a gigabyte', 'hub-answer', /too long/, { entries: changed('config.json', { size: 1e9 }) })
for (const list of [{}, null, [null], [[]], ['x'], 'text', 7]) {
  const id = Array.isArray(list) || list === 'text' ? 'hub-answer' : 'hub-files'
  attack(`list ${JSON.stringify(list)}`, id, /hf:shop/, { entries: () => list })
}
attack('an empty list', 'hub-files', /has no config\.json/, { entries: () => [] })

// Bodies that are not the file.
for (const name of ['config.json', weights]) {
  const wrong = Buffer.from(content(name)).fill(7, 20, 30)
  answers(`short ${name}`, /bytes instead of/, file(name, body(half(name))))
  answers(`empty ${name}`, /has 0 bytes instead of/, file(name, body('')))
  answers(`wrong ${name}`, /does not have the hash/, file(name, body(wrong)))
  answers(`page instead of ${name}`, /instead of|longer/, file(name, body('<html>Sign in</html>')))
  answers(`longer ${name}`, /is longer than its/, file(name, body(Buffer.concat([content(name), wrong]))))
  answers(`endless ${name}`, /is longer than its/, file(name, endless(Buffer.alloc(2 ** 16))))
  answers(
    `packed ${name}`,
    /is longer than its/,
    file(name, (response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(Buffer.alloc(2 ** 26)))
    }),
  )
  answers(
    `cut ${name}`,
    /hf:shop/,
    file(name, (response) => {
      response.writeHead(200, { 'Content-Length': content(name).length }).write(half(name), () => response.destroy())
    }),
    'hub-files',
  )
  answers(
    `refused ${name}`,
    /HTTP status 403/,
    file(name, (response) => json(response, {}, 403)),
    'hub-files',
  )
  answers(`silent ${name}`, /less than 1024 bytes per second/, file(name, silent), 'hub-timeout')
  answers(
    `stalled ${name}`,
    /less than 1024/,
    file(name, (response) => response.write(half(name))),
    'hub-timeout',
  )
  answers(`dripping ${name}`, /less than 1024/, file(name, endless(' ', 100)), 'hub-timeout')
}
answers(
  'redirects in a circle',
  /redirect/,
  file(weights, (response, path) => {
    response.writeHead(302, { Location: path }).end()
  }),
  'hub-files',
)
answers(
  'a redirect to a file',
  /hf:shop/,
  file(weights, (response) => {
    response.writeHead(302, { Location: 'file:///etc/passwd' }).end()
  }),
  'hub-files',
)

// Answers of the API.
for (const part of ['/revision/', '/tree/']) {
  answers(`silent ${part}`, /no complete answer to .* in 1 s/, at(part, silent), 'hub-timeout')
  answers(`dripping ${part}`, /no complete answer/, at(part, endless(' ', 50)), 'hub-timeout')
  answers(`endless ${part}`, /more than 67108864 bytes/, at(part, endless(Buffer.alloc(2 ** 20, '[1,'))))
  answers(
    `packed ${part}`,
    /more than 67108864 bytes/,
    at(part, (response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(Buffer.alloc(2 ** 27, ' ')))
    }),
  )
  answers(`no JSON ${part}`, /JSON/, at(part, body('{"a": ')), 'hub-files')
  answers(`deep JSON ${part}`, /hf:shop/, at(part, body(`${'['.repeat(1e6)}${']'.repeat(1e6)}`)))
  answers(
    `an empty answer ${part}`,
    /hf:shop/,
    at(part, (response) => response.writeHead(204).end()),
    'hub-files',
  )
  answers(
    `long headers ${part}`,
    /[Hh]eaders/,
    at(part, (response) => {
      response.writeHead(200, { long: 'x'.repeat(2 ** 20) }).end('{}')
    }),
    'hub-files',
  )
  answers(
    `a closed connection ${part}`,
    /hf:shop/,
    at(part, (response) => response.destroy()),
    'hub-files',
  )
  answers(
    `an error with escapes ${part}`,
    /: \?\[31mred \*\*\*\?x{20,200}…x{20,200}; check/,
    at(part, (response) =>
      json(response, { error: `\x1b[31mred ${token}\u202e${'x'.repeat(2 ** 20)}\n    at stack` }, 500),
    ),
    'hub-files',
  )
  answers(
    `an error that never ends ${part}`,
    /no complete answer/,
    at(part, (response) => {
      response.writeHead(500, { 'Content-Type': 'application/json' }).write('{')
    }),
    'hub-timeout',
  )
}
answers(
  'a next page that is this page',
  /page that was read/,
  links((path) => hub.url + path + query),
)
answers(
  'next pages without end',
  /more than 100 pages/,
  links((path, count) => `${hub.url}${path}?page=${count}`),
)
answers(
  'a next page elsewhere',
  /another server, http:\/\/127\.0\.0\.1:1/,
  links(() => 'http://127.0.0.1:1/x'),
)
answers(
  'a next page that is none',
  /URL/,
  links(() => 'http://['),
  'hub-files',
)

/** Every file below `folder` with its size, but for the cache of the repository. */
const outside = () =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => !name.startsWith(join('home', 'hub', 'models--shop--encoder')))
    .sort()

const setEnvironment = (timeout: string) =>
  Object.assign(process.env, {
    HF_ENDPOINT: hub.url,
    HF_HOME: join(folder, 'home'),
    HF_TOKEN: token,
    HF_HUB_ETAG_TIMEOUT: timeout,
    HF_HUB_DOWNLOAD_TIMEOUT: timeout,
  })

const bars = { bar: () => ({ update() {}, stop() {} }) }
const name = `hf:${repository}`
const cache = join(folder, 'home/hub/models--shop--encoder')

/** Asserts that names in the cache are hashes of the contents, without temporary files. */
function assertCleanCache(): void {
  const blobs = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const { parentPath, name } of blobs.filter(({ parentPath }) => parentPath.endsWith('blobs'))) {
    const bytes = readFileSync(join(parentPath, name))
    const git = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
    assert.ok([git, createHash('sha256').update(bytes).digest('hex')].includes(name), name)
  }
}

setEnvironment('30')
hub.behavior = {}
await openCheckpoint(name, bars, () => {})

for (const [title, { behavior, id, message }] of Object.entries(attacks)) {
  test(`when a server sends ${title} then it is refused and the next good one works`, async () => {
    tried++
    // As with an empty cache, but the folders exist.
    for (const part of ['blobs', 'snapshots']) rmSync(join(cache, part), { recursive: true, force: true })
    const before = outside()
    // Those that end by their size do so also on a slow machine.
    setEnvironment(id === 'hub-timeout' ? '1' : '15')
    hub.behavior = behavior
    const started = performance.now()
    const args = ['embed', '--data', join(folder, 'no data'), '--checkpoint', name]
    const line = await refusal(args, join(folder, 'out'), id)
    assert.ok(performance.now() - started < 1000 * most)
    assert.match(line, message)
    assert.ok(line.length < 600, `${line.length} characters`)
    assert.doesNotMatch(line, /\p{C}|hf_secret/u)
    assert.deepEqual(outside(), before)
    assertCleanCache()
    setEnvironment('30')
    hub.behavior = {}
    await openCheckpoint(name, bars, () => {})
    assertCleanCache()
    assert.deepEqual(outside(), before)
    survived++
  })
}

test('when the commit of a file or its hash by Xet is a path then it is not used', async () => {
  hub.behavior = { entries: (entries) => entries.map((entry) => ({ ...entry, lastCommit: { id: up }, xetHash: up })) }
  rmSync(cache, { recursive: true })
  const before = outside()
  await openCheckpoint(name, bars, () => {})
  assert.deepEqual(outside(), before)
})

test('when no server answers then the error says why', async () => {
  process.env['HF_ENDPOINT'] = 'http://me:hunter2@127.0.0.1:1'
  const args = ['embed', '--data', join(folder, 'no data'), '--checkpoint', name]
  assert.match(await refusal(args, join(folder, 'out'), 'hub-files'), /: (?!.*hunter2).*(ECONNREFUSED|bad port)/)
})
