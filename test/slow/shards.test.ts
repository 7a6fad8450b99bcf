import assert from 'node:assert/strict'
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
  Object.fromEntries(arrays.map((name) => [name, readFileSync(join(out, 'embeddings', `${name}.npy`))]))

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
  const { rows } = JSON.parse(readFileSync(manifest, 'utf8'))
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(kept.toString()), rows }))
  await refused('duplicate-id', /item \d+ is in 0-of-4 and in 1-of-4/)
})
