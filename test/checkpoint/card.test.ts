import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { modelCard } from '../../src/checkpoint/card.js'
import type { MimConfig } from '../../src/checkpoint/folder.js'
import { parseModelConfig } from '../../src/models/config.js'
import { mimJson } from '../commands/cli.js'
import { smallStages, workplace } from '../e2e/stages.js'

const folder = await workplace()
const { pretrain, sft } = smallStages(folder)

test('when stages follow each other then the checkpoint tells what it was made from, and its card how well', async () => {
  const [first, second] = ['first', 'second'].map((name) => join(folder, name))
  const metrics = await mimJson([...pretrain, '--epochs', '1', '--out', first])
  await mimJson([...sft, '--epochs', '1', '--init', first, '--out', second])
  const read = (run: string, file: string) => readFileSync(join(run, file), 'utf8')
  const { provenance } = JSON.parse(read(second, 'checkpoint/mim.json')) as MimConfig
  const [made, then] = provenance ?? []
  const items = join(folder, 'tiny/items.parquet')
  assert.deepEqual(
    [made.stage, made.init, made.data, then.stage, then.init],
    ['pretrain', null, [{ table: 'items', path: items, rows: 120 }], 'sft', first],
  )
  const { stage, ...config } = parse(read(first, 'config.yaml'))
  assert.deepEqual(
    [stage, made.config],
    ['pretrain', createHash('sha256').update(JSON.stringify(config)).digest('hex')],
  )
  assert.match(made.mim, /^\d+\.\d+\.\d+/)

  const card = read(first, 'checkpoint/README.md')
  assert.match(card, /^---\nlibrary_name: transformers\n/)
  assert.ok(card.includes(`| pretrain: items | ${items} | 120 rows |`))
  const recall = (when: string) => Number((metrics[`${when}_image_to_title_recall_10`] as number).toFixed(4))
  assert.ok(card.includes(`| image_to_title_recall_10 | ${recall('before')} | ${recall('after')} |`), card)
  assert.match(card, /content vector of 12 dimensions/)
})

test('when a checkpoint comes from the hub and may be truncated then its card says both', () => {
  const made = {
    stage: 'pretrain',
    init: 'hf:shop/encoder@v1',
    data: [],
    config: 'c0ffee',
    mim: '1.0.0',
    revision: 'abc',
  }
  const config = parseModelConfig({ model_type: 'siglip' }, '')
  const card = modelCard({ config, mim: { matryoshka: [32, 64], provenance: [made] } })
  assert.match(card, /\nbase_model: shop\/encoder\n/)
  assert.match(card, /truncated to 32, 64 dimensions/)
  assert.match(card, /Made by `mim pretrain` 1\.0\.0, revision abc, configuration c0ffee\./)
  assert.doesNotMatch(card, /mim\.safetensors/)
})
