import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mimJson } from '../commands/cli.js'
import { query, smallStages, workplace } from './stages.js'

const folder = await workplace()
export const stages = smallStages(folder)
export const place = (name: string) => join(folder, name)

/** Results of a run but for what differs from run to run, and the loss of each step. */
async function outcome(name: string, command: string[]) {
  const { seconds: _, ...metrics } = await mimJson([...command, '--engine', 'wasm', '--out', place(name)])
  const losses = await query('SELECT step, loss FROM {history} ORDER BY step', {
    history: place(`${name}/history.parquet`),
  })
  return { metrics, losses, log: readFileSync(place(`${name}/log.jsonl`), 'utf8') }
}

/** Runs `command` with pictures from the cache, and with a cache that has no room: the results must be the same. */
export async function assertStreams(stage: string, command: string[]): Promise<void> {
  const cached = await outcome(`${stage}-cached`, command)
  const none = ['--set', `data.cache=${place('none')}`, '--set', 'data.cacheLimit=0', '--set', 'train.workers=2']
  const streamed = await outcome(`${stage}-streamed`, [...command, ...none])
  assert.deepEqual(streamed.metrics, cached.metrics)
  assert.deepEqual(streamed.losses, cached.losses)
  assert.ok(cached.losses.length > 10)
  assert.match(streamed.log, /pictures: \d+ do not fit into data\.cacheLimit and are decoded again for each batch/)
  assert.doesNotMatch(cached.log, /do not fit/)
}
