import { test } from 'node:test'
import { assertStreams, stages } from './streaming.js'

test('when the cache has no room then mim pretrain decodes for each batch, to the same result', async () => {
  await assertStreams('pretrain', stages.pretrain)
})
