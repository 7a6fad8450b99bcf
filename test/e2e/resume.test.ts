/** One kill for each stage at the smallest size; test/slow/resume.test.ts has the whole campaign. */
import { join } from 'node:path'
import { test } from 'node:test'
import { assertResumes } from './resuming.js'
import { smallStages, workplace } from './stages.js'

const folder = await workplace()
const stages = smallStages(folder)
const short = ['--engine', 'wasm', '--epochs', '1']
const pretrained = join(folder, 'pretrain/whole')

// The undisturbed run of pretrain is what sft starts from.
for (const [stage, command] of [
  ['pretrain', stages.pretrain],
  ['sft', [...stages.sft, '--init', pretrained, '--set', 'negatives.mineEvery=2']],
  ['ctr', [...stages.ctr, '--model', 'din']],
] as const) {
  test(`when ${stage} is killed then --resume ends where an undisturbed run does`, async () => {
    await assertResumes(join(folder, stage), [...command, ...short], [{ signal: 'SIGKILL', at: 2 }])
  })
}
