import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { mim, mimJson } from '../commands/cli.js'
import { smallStages, workplace } from './stages.js'

const folder = await workplace()
const stages = smallStages(folder)
const out = join(folder, 'dry')
const temporary = join(folder, 'temporary')
mkdirSync(temporary)

for (const [stage, command] of [
  ['pretrain', stages.pretrain],
  ['ctr', [...stages.ctr, '--model', 'din']],
] as const) {
  test(`when mim ${stage} makes a dry run then it prints the cost of the run and leaves nothing`, async () => {
    const cost = await mimJson([...command, '--dry-run', '--engine', 'wasm', '--out', out], { TMPDIR: temporary })
    assert.deepEqual(Object.keys(cost), [
      'steps',
      'step_seconds',
      'evaluations',
      'evaluation_seconds',
      'save_seconds',
      'seconds',
      'peak_memory_mb',
    ])
    assert.ok(Object.values(cost).every((value) => Number(value) > 0))
    assert.equal(existsSync(out), false)
    assert.deepEqual(readdirSync(temporary), [])
  })
}

test('when a dry run is to be resumed then it is refused', async () => {
  const { code, stderr } = await mim(['ctr', '--dry-run', '--resume'])
  assert.equal(code, 2)
  assert.match(stderr, /'--dry-run' cannot be used with option '--resume'/)
})
