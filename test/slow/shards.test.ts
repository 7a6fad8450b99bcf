import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { before, test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { smallStages, workplace } from '../e2e/stages.js'

const folder = await workplace()
const { pretrain, embed } = smallStages(folder)
const checkpoint = ['--checkpoint', join(folder, 'pretrain')]
const at = (name: string) => join(folder, name)
const arrays = ['item_id', 'embedding', 'image_embedding', 'text_embedding', 'content_hash', 'present']

before(async () => {
  await mimJson([...pretrain, '--engine', 'wasm', '--out', at('pretrain')])
})

/** All numbers of a published table. */
const numbersOf = (out: string) =>
  Object.fromEntries(arrays.map((name) => [name, readFileSync(join(out, 'table', `${name}.npy`))]))

test('when shards are merged then the table is that of one run, to the bit', async () => {
  const [whole, parts] = [at('whole'), at('parts')]
  const formats = ['--set', 'lists=fixed', '--set', 'safetensors=true']
  const { rows } = await mimJson([...embed, ...checkpoint, ...formats, '--out', whole])
  const shard = (name: string, env: NodeJS.ProcessEnv = {}, ...more: string[]) =>
    mimJson([...embed, ...checkpoint, ...formats, '--out', parts, '--shard', name, ...more], env)
  const first = await shard('0/4', {}, '--batch', '7')
  const second = await shard('auto/4', { JOB_COMPLETION_INDEX: '1' })
  const fourth = await shard('3/4')
  const { code, stderr } = await mim(['embed', 'merge', '--out', parts])
  assert.equal(code, 2)
  assert.match(stderr, /^error \[shards-missing\]: .*unfinished or missing: 2-of-4;/)
  assert.equal(existsSync(join(parts, 'embeddings')), false)
  const slurm = { SLURM_ARRAY_TASK_ID: '7', SLURM_ARRAY_TASK_MIN: '5', SLURM_ARRAY_TASK_COUNT: '4' }
  const third = await shard('auto', slurm)
  const items = [first, second, third, fourth].map((metrics) => Number(metrics['items']))
  assert.ok(items.every((count) => count > 0))
  assert.equal(
    items.reduce((sum, count) => sum + count),
    120,
  )

  const merged = await mimJson(['embed', 'merge', '--out', parts])
  assert.deepEqual([merged['shards'], merged['rows'], merged['items']], [4, rows, 120])
  const published = (out: string) =>
    readdirSync(join(out, 'table'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(realpathSync(join(out, 'table')), join(realpathSync(entry.parentPath), entry.name)))
      .sort()
  assert.deepEqual(published(parts), published(whole))
  assert.ok(published(whole).includes('embeddings.safetensors'))
  for (const file of published(whole)) {
    const bytes = (out: string) => readFileSync(join(out, 'table', file))
    if (file !== 'manifest.json') assert.ok(bytes(parts).equals(bytes(whole)), file)
  }

  const again = await shard('2/4')
  assert.deepEqual([again['computed'], again['unchanged']], [0, third['computed']])
})

test('when a shard is doubled, of another model or other formats then merging refuses it by name', async () => {
  const out = at('parts')
  const older = numbersOf(out)
  const shards = join(out, 'shards')
  const refused = async (id: string, pattern: RegExp) => {
    const { code, stderr } = await mim(['embed', 'merge', '--out', out])
    assert.equal(code, 2, stderr)
    assert.match(stderr, new RegExp(`^error \\[${id}\\]`))
    assert.match(stderr, pattern)
    assert.deepEqual(numbersOf(out), older)
  }
  const place = join(shards, '1-of-4')
  const formats = ['--set', 'lists=fixed', '--set', 'safetensors=true']
  const insteadOf = async (...args: string[]) => {
    rmSync(place, { recursive: true, force: true })
    await mimJson([...embed, '--out', out, '--shard', '1/4', ...args])
  }
  renameSync(place, at('spare'))
  cpSync(join(shards, '0-of-4'), place, { recursive: true })
  await refused('shard-twice', /shard 0 of 4 exists twice: 0-of-4 and 1-of-4/)

  await mimJson([...pretrain, '--engine', 'wasm', '--epochs', '1', '--out', at('another model')])
  await insteadOf('--checkpoint', at('another model'), ...formats)
  await refused('shard-differs', /1-of-4: model \w{16}, not \w{16}, as in 0-of-4/)
  await insteadOf(...checkpoint, ...formats, '--dim', '4')
  await refused('shard-differs', /1-of-4: width 4, not 12/)
  await insteadOf(...checkpoint)
  await refused('shard-differs', /1-of-4: lists variable, not fixed; safetensors false, not true/)

  rmSync(place, { recursive: true })
  cpSync(at('spare'), place, { recursive: true })
  // What only a broken disk or a person can do: rows of one shard in another.
  const manifest = join(place, 'part/manifest.json')
  const kept = readFileSync(manifest)
  cpSync(join(shards, '0-of-4/part'), join(place, 'part'), { recursive: true })
  const { shard } = JSON.parse(kept.toString())
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), shard }))
  await refused('duplicate-id', /item \d+ is in 0-of-4 and in 1-of-4/)
})
