import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { smallStages, workplace } from '../e2e/stages.js'
import { Traces } from '../e2e/traces.js'
import { setArguments } from '../refusal.js'

/** What README.md says: decoded pictures are in `data.cache`, by default in the working folder. */
const pictures = /^cwd\/runs\/cache\/(pictures|queries)-/

test('when each stage runs then nothing is left outside its folders but decoded pictures', async () => {
  const folder = await workplace()
  const place = (name: string) => join(folder, name)
  const stages = smallStages(folder)
  const traces = new Traces(place('places'))
  const usual = setArguments({ 'data.cache': 'runs/cache' })
  const short = ['--epochs', '0.3']
  const impressions = place('tiny/impressions.parquet')
  const commands: Record<string, string[]> = {
    sample: ['sample', '--size', 'tiny', '--out', place('sample')],
    pretrain: [...stages.pretrain, ...short, ...usual, '--out', place('pretrain')],
    sft: [...stages.sft, ...short, ...usual, '--init', place('pretrain'), '--out', place('sft')],
    embed: [...stages.embed, '--checkpoint', place('sft'), '--out', place('embed')],
    neighbors: ['neighbors', place('embed'), '--text', 'red shoes', '--checkpoint', place('sft')],
    ctr: [...stages.ctr, ...short, '--embeddings', place('embed/embeddings'), '--out', place('ctr')],
    'ctr predict': ['ctr', 'predict', place('ctr'), '--impressions', impressions, '--out', place('scored.parquet')],
    'ctr, estimated': [...stages.ctr, '--model', 'din', '--dry-run', '--out', place('dry')],
    doctor: ['doctor'],
  }
  for (const [name, args] of Object.entries(commands)) {
    await traces.run(args, { ORT_DISABLE_TELEMETRY: '' })
    assert.deepEqual(traces.left(pictures), [], name)
  }
  assert.ok(traces.left().length > 0, 'the cache of pictures')
})
