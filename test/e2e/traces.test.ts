import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeSmallCheckpoint } from '../checkpoint/small.js'
import { smallStages, workplace } from './stages.js'
import { Traces } from './traces.js'

test('when vectors are made then home, cache, temporary and working folder stay empty', async () => {
  const folder = await workplace()
  writeSmallCheckpoint(join(folder, 'encoder'))
  const { embed } = smallStages(folder)
  const traces = new Traces(join(folder, 'places'))
  // Unset, as on the machine of a user.
  const env = { ORT_DISABLE_TELEMETRY: '' }
  await traces.run([...embed, '--checkpoint', join(folder, 'encoder'), '--out', join(folder, 'vectors')], env)
  assert.deepEqual(traces.left(), [])
})
