import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inOtherFiles, rewriteWeights, tensorsOf } from '../checkpoint/folders.js'
import { mim, mimJson } from '../commands/cli.js'
import { smallStages, workplace } from '../e2e/stages.js'

const folder = await workplace()
const place = (name: string) => join(folder, name)
const { pretrain, sft, embed } = smallStages(folder)
/** The folder that is published under each commit, and the commits under their names. */
const published: Record<string, string> = {
  ['c0ffee'.padEnd(40, '0')]: 'published',
  ['dec0de'.padEnd(40, '0')]: 'other files',
}
const [commit, otherCommit] = Object.keys(published)
const revisions: Record<string, string> = { v1: commit, torch: otherCommit }
/** Paths of files that were asked for, with the number of times. */
const asked = new Map<string, number>()

/** As much of the Hub as a model needs: what it is, what it has, and its files in pieces. */
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://server')
  const path = decodeURIComponent(url.pathname)
  const asksFor = Object.keys(published).find((name) => path.includes(`/${name}`)) ?? commit
  const files = () => readdirSync(place(published[asksFor]))
  const bytesOf = (name: string) => readFileSync(place(`${published[asksFor]}/${name}`))
  const entry = (name: string) => ({
    type: 'file',
    path: name,
    size: bytesOf(name).length,
    oid: createHash('sha1').update(bytesOf(name)).digest('hex'),
  })
  const json = (status: number, content: unknown) => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(content))
  }
  if (request.headers.authorization !== 'Bearer hf_secret') return json(401, { error: 'Repository not found' })
  const repository = '/api/models/shop/encoder'
  const [, revision = ''] = /\/revision\/(\w+)$/.exec(path) ?? []
  if (revision in revisions) return json(200, { id: 'shop/encoder', sha: revisions[revision] })
  if (path === `${repository}/tree/${asksFor}`) return json(200, files().map(entry))
  if (path === `${repository}/paths-info/${asksFor}`) {
    let body = ''
    request.on('data', (piece) => {
      body += piece
    })
    request.on('end', () => json(200, (JSON.parse(body) as { paths: string[] }).paths.map(entry)))
    return
  }
  const name = path.startsWith(`/shop/encoder/resolve/${asksFor}/`) ? path.slice(path.lastIndexOf('/') + 1) : ''
  if (!files().includes(name)) return json(404, { error: `no ${path}` })
  const bytes = bytesOf(name)
  const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? []
  if (from === undefined) asked.set(name, (asked.get(name) ?? 0) + 1)
  const part = from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1)
  const range = from === undefined ? {} : { 'Content-Range': `bytes ${from}-${to}/${bytes.length}` }
  response.writeHead(from === undefined ? 200 : 206, { ETag: `"${entry(name).oid}"`, ...range }).end(part)
})

const environment = () => ({
  HF_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  HF_HOME: place('home'),
  HF_TOKEN: 'hf_secret',
})

before(async () => {
  await mimJson([...pretrain, '--epochs', '0', '--out', place('start')])
  rewriteWeights(place('start/checkpoint'), place('published'), { dtype: 'F16', shards: 2, extra: [] })
  cpSync(place('start/checkpoint'), place('other files'), { recursive: true })
  inOtherFiles(place('other files'), 2)
  writeFileSync(place('published/tf_model.h5'), 'nobody needs this')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
after(() => server.close())

const adapt = (name: string, out: string) => [...pretrain, '--init', name, '--epochs', '0', '--out', place(out)]

test('when a checkpoint is named then what it needs is fetched once, into the cache', async () => {
  await mimJson(adapt('hf:shop/encoder@v1', 'first'), environment())
  const snapshot = place(`home/hub/models--shop--encoder/snapshots/${commit}`)
  const needed = readdirSync(place('published')).filter((name) => name !== 'tf_model.h5' && name !== 'README.md')
  assert.deepEqual(readdirSync(snapshot).sort(), needed.sort())
  const shards = needed.filter((name) => /^model-\d/.test(name)).map((name) => tensorsOf(join(snapshot, name)))
  assert.equal(shards.length, 2)
  const names = shards.flatMap((shard) => [...shard.keys()])
  assert.deepEqual([...tensorsOf(place('first/checkpoint/model.safetensors')).keys()].sort(), names.sort())
  const before = new Map(asked)
  await mimJson(adapt('hf:shop/encoder@v1', 'second'), environment())
  assert.deepEqual(asked, before)
})

test('when a checkpoint has weights of torch.save, processor_config.json and vocab.json then they are fetched', async () => {
  await mimJson(adapt('hf:shop/encoder@torch', 'torch'), environment())
  const snapshot = place(`home/hub/models--shop--encoder/snapshots/${otherCommit}`)
  const wanted = readdirSync(place('other files')).filter((name) => name !== 'README.md')
  assert.deepEqual(readdirSync(snapshot).sort(), wanted.sort())
  for (const name of ['model.safetensors', 'mim.safetensors']) {
    assert.deepEqual(tensorsOf(place(`torch/checkpoint/${name}`)), tensorsOf(place(`start/checkpoint/${name}`)))
  }
  const json = (name: string) => JSON.parse(readFileSync(place(name), 'utf8'))
  for (const name of ['preprocessor_config.json', 'tokenizer.json']) {
    assert.deepEqual(json(`torch/checkpoint/${name}`), json(`start/checkpoint/${name}`))
  }
})

test('when stage 2 starts from a name or vectors are made by one then it is as by the folder', async () => {
  const name = 'hf:shop/encoder@v1'
  for (const [stage, command, same] of [
    ['sft', [...sft, '--epochs', '0.2', '--init'], /^(before|after)_/],
    ['embed', [...embed, '--checkpoint'], /^(computed|model_version)$/],
  ] as const) {
    const result = async (checkpoint: string, out: string) =>
      Object.entries(await mimJson([...command, checkpoint, '--out', place(`${stage} ${out}`)], environment()))
    const [named, there] = [await result(name, 'named'), await result(place('published'), 'there')]
    const compared = (entries: [string, unknown][]) => entries.filter(([key]) => same.test(key))
    assert.ok(compared(named).length > 1)
    assert.deepEqual(compared(named), compared(there))
  }
  const planned = await mimJson(
    [...embed, '--checkpoint', name, '--dry-run', '--out', place('embed named')],
    environment(),
  )
  assert.equal(planned['unchanged'], planned['items'])
})

test('when the server refuses, or the name is none, then the error says so', async () => {
  for (const [name, env, message] of [
    [
      'hf:shop/encoder@v2',
      {},
      /\[hub-files\]: hf:shop\/encoder@v2: no \/api\/models.+check the name, the network and HF_TOKEN/,
    ],
    ['hf:shop/encoder@v1', { HF_TOKEN: 'hf_wrong' }, /\[hub-files\]: hf:shop\/encoder@v1: Repository not found/],
    ['hf:encoder', {}, /\[hub-name\]: 'hf:encoder'; expected hf:owner\/name/],
  ] as const) {
    const { code, stderr } = await mim(adapt(name, 'refused'), { ...environment(), ...env })
    assert.equal(code, 2)
    assert.match(stderr, message)
  }
})
