import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { smallStages, workplace } from './stages.js'

const folder = await workplace()
const stages = smallStages(folder)
const engine = ['--engine', 'wasm']
const pretrained = join(folder, 'pretrained')
await mimJson([...stages.pretrain, ...engine, '--epochs', '0', '--out', pretrained])

test('when a prefix is as long as the vector then matryoshka-size', async () => {
  const set = ['--set', 'levels.matryoshka=[6, 12]', '--init', pretrained]
  const { code, stderr } = await mim([...stages.sft, ...engine, ...set, '--out', join(folder, 'none')])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /^error \[matryoshka-size\]: levels\.matryoshka 12; expected less than 12, the width of the content vector/,
  )
})

for (const [flags, id] of [
  [['--ablate', 'negatives,colors'], 'ablation-kind'],
  [['--ablate', 'negatives', '--seeds', '1,1'], 'ablation-seeds'],
  [['--seeds', '1'], 'option-conflict'],
  [['--ablate', 'levels', '--overwrite'], 'option-conflict'],
  [['--ablate', 'levels', '--dry-run'], 'option-conflict'],
  [['--ablate', 'levels', '--max-time', '1h'], 'option-conflict'],
] as const) {
  test(`when sft is called with ${flags.join(' ')} then ${id}`, async () => {
    const { code, stderr } = await mim(['sft', '--out', join(folder, 'none'), ...flags])
    assert.equal(code, 2)
    assert.match(stderr, new RegExp(`^error \\[${id}\\]: `))
  })
}
