import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import type { MimConfig } from '../../src/checkpoint/folder.js'
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
