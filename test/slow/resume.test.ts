import { join } from 'node:path'
import { test } from 'node:test'
import { mimJson } from '../commands/cli.js'
import { assertResumes, type Disturbance } from '../e2e/resuming.js'
import { smallStages, workplace } from '../e2e/stages.js'
import { onEachEngine } from '../engines.js'

const folder = await workplace()
const stages = smallStages(folder)

// What the runs start from; WASM is always there.
const pretrained = join(folder, 'pretrained')
const embeddings = join(folder, 'embeddings')
await mimJson([...stages.pretrain, '--engine', 'wasm', '--out', pretrained])
await mimJson([...stages.embed, '--checkpoint', pretrained, '--out', embeddings])

const commands: Record<string, string[]> = {
  pretrain: stages.pretrain,
  sft: [...stages.sft, '--init', pretrained, '--set', 'negatives.mineEvery=5', '--set', 'levels.matryoshka=[6]'],
  ctr: [...stages.ctr, '--embeddings', embeddings],
}

const timeIsUp: Disturbance = { signal: 'time', at: 1 }

const kills: Disturbance[] = [3, 8].map((at) => ({ signal: 'SIGKILL', at }))

const cases: { engine: string; stage: string; disturbances: Disturbance[] }[] = [
  { engine: 'tensorflow', stage: 'pretrain', disturbances: [timeIsUp, ...kills] },
  { engine: 'tensorflow', stage: 'sft', disturbances: [timeIsUp, ...kills] },
  { engine: 'tensorflow', stage: 'ctr', disturbances: [timeIsUp, ...kills, { signal: 'SIGINT', at: 11 }] },
]

await onEachEngine('a disturbed run', ({ name }) => {
  for (const { engine, stage, disturbances } of cases.filter((c) => c.engine === name)) {
    const what = disturbances.map(({ signal, at }) => `${signal} at ${at}`).join(', ')
    test(`when ${stage} gets ${what} then --resume ends where an undisturbed run does`, async () => {
      await assertResumes(join(folder, engine, stage), [...commands[stage], '--engine', engine], disturbances)
    })
  }
})
