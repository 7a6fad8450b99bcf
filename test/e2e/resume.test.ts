/** One kill for the stages of behaviors at the smallest size; test/slow/resume.test.ts has the whole campaign. */
import { join } from 'node:path'
import { test } from 'node:test'
import { writeSmallCheckpoint } from '../checkpoint/small.js'
import { assertResumes } from './resuming.js'
import { smallStages, workplace } from './stages.js'

const folder = await workplace()
const stages = smallStages(folder)
const short = ['--engine', 'wasm', '--epochs', '1']
const init = join(folder, 'init')
writeSmallCheckpoint(init, true)

for (const [stage, command] of [
  ['sft', [...stages.sft, '--init', init, '--set', 'negatives.mineEvery=2']],
  ['ctr', [...stages.ctr, '--model', 'din']],
] as const) {
  test(`when ${stage} is killed then --resume ends where an undisturbed run does`, async () => {
    await assertResumes(join(folder, stage), [...command, ...short], [{ signal: 'SIGKILL', at: 2 }])
  })
}
