import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { mimJson } from '../commands/cli.js'
import { query, smallStages, workplace } from '../e2e/stages.js'

const folder = await workplace()
const stages = smallStages(folder)
const engine = ['--engine', 'wasm']
// One for each seed, where {seed} points.
const pretrained = join(folder, 'pretrained')
await mimJson([...stages.pretrain, ...engine, '--set', 'train.epochs=0.3', '--out', join(pretrained, '1')])

const out = join(folder, 'ablation')
const ablation = [...stages.sft, ...engine, '--init', join(pretrained, '{seed}'), '--out', out, '--seeds', '1']
const small = ['negatives.hard=0', 'negatives.logQ=false', 'train.epochs=0.2', 'evaluation.queries=50']
const command = [...ablation, ...small.flatMap((set) => ['--set', set]), '--ablate', 'negatives']

test('when negatives are ablated then each row is trained once, and the table is there in three forms', async () => {
  const table = (await mimJson(command)) as { rows: { row: string; seeds: number; effect?: object }[] }
  assert.deepEqual(
    table.rows.map(({ row }) => row),
    ['stage 1', 'everything', 'without time negatives'],
  )
  // Of one seed the interval is unknown: null in JSON.
  const saved = readFileSync(join(out, 'ablation.json'), 'utf8')
  assert.deepEqual(JSON.parse(saved), table)
  const lines = readFileSync(join(out, 'ablation.md'), 'utf8').trim().split('\n')
  assert.equal(lines.length, 2 + table.rows.length)
  const rows = await query<{ row: string; recall_10: number }>('SELECT * FROM {table}', {
    table: join(out, 'ablation.parquet'),
  })
  assert.deepEqual(
    rows.map(({ row }) => row),
    table.rows.map(({ row }) => row),
  )
  assert.ok(rows.every(({ recall_10 }) => recall_10 >= 0 && recall_10 <= 1))

  const metrics = join(out, 'runs/everything/seed-1/metrics.json')
  const first = readFileSync(metrics, 'utf8')
  assert.deepEqual(await mimJson(command), table)
  assert.equal(readFileSync(metrics, 'utf8'), first)
})
