import { test } from 'node:test'
import { mimJson } from '../commands/cli.js'
import { assertStreams, place, stages } from '../e2e/streaming.js'

test('when the cache has no room then mim pretrain decodes for each batch, to the same result', async () => {
  await assertStreams('pretrain', stages.pretrain)
})

test('when the cache has no room then mim sft decodes for each batch, to the same result', async () => {
  await mimJson([...stages.pretrain, '--engine', 'wasm', '--out', place('pretrained')])
  await assertStreams('sft', [...stages.sft, '--init', place('pretrained')])
})
