/** Commands that write to a place where another process, here the parent of this one, works. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { lockFile } from '../../src/base/processes/lock.js'
import { thisProcess, tokenOf } from '../../src/base/processes/owner.js'
import { lockOutput } from '../../src/base/runStage.js'
import { gridConfig } from '../../src/config/grid.js'
import { sftConfig } from '../../src/config/sft.js'
import { tuneConfig } from '../../src/config/tune.js'
import { generateSearches } from '../../src/sample/index.js'
import { publishTable } from '../../src/store/index.js'
import { ablate } from '../../src/studies/ablation.js'
import { grid } from '../../src/studies/grid.js'
import { tune } from '../../src/studies/tune.js'
import { assertRefused } from '../errors/refused.js'
import { runHere } from '../refusal.js'
import { temporaryFolder } from '../sample/folders.js'

const base = await temporaryFolder()

/** A lock file of a process that runs; or of one that has ended. */
function lock(file: string, hasEnded = false): void {
  const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
  const started = hasEnded ? '1' : stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  const owner = { ...thisProcess(), pid: process.ppid, started }
  const held = { owner, id: '00000000-0000-4000-8000-000000000000', command: 'mim other', since: '2026-01-02' }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify(held))
}

const at = (name: string) => join(base, name)
const commands: Record<string, { args: string[]; lock: string }> = {
  pretrain: { args: ['pretrain', '--out', at('pretrain')], lock: join(at('pretrain'), lockFile) },
  'pretrain --resume': { args: ['pretrain', '--resume', '--out', at('resumed')], lock: join(at('resumed'), lockFile) },
  sft: { args: ['sft', '--overwrite', '--out', at('sft')], lock: join(at('sft'), lockFile) },
  embed: { args: ['embed', '--checkpoint', 'any', '--out', at('embed')], lock: join(at('embed'), lockFile) },
  'embed --shard': {
    args: ['embed', '--checkpoint', 'any', '--shard', '0/2', '--out', at('sharded')],
    lock: join(at('sharded'), 'shards', '0-of-2', lockFile),
  },
  'embed merge': { args: ['embed', 'merge', '--out', at('merged')], lock: join(at('merged'), lockFile) },
  'embed merge of a shard': {
    args: ['embed', 'merge', '--out', at('unfinished')],
    lock: join(at('unfinished'), 'shards', '0-of-2', lockFile),
  },
  ctr: { args: ['ctr', '--model', 'din', '--out', at('ctr')], lock: join(at('ctr'), lockFile) },
  sample: { args: ['sample', '--behaviors', '10', '--out', at('sample')], lock: at('sample.lock') },
}
/** All that there is, without what merge writes before it opens the shards. */
const entries = () =>
  (readdirSync(base, { recursive: true }) as string[]).filter(
    (name) => !/^unfinished.(config.yaml|log.jsonl)$/.test(name),
  )

for (const [name, { args, lock: file }] of Object.entries(commands)) {
  test(`when another process works where mim ${name} writes then it is refused and changes nothing`, async () => {
    lock(file)
    const before = entries()
    const { code, stderr } = await runHere(args)
    assert.match(stderr, /^error \[folder-locked\]: [^\n]+: mim other is working here, process \d+ on [^\n]+\n$/)
    assert.equal(code, 2)
    assert.deepEqual(entries(), before)
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).command, 'mim other')
  })
}

const studies: Record<string, (out: string) => Promise<unknown>> = {
  grid: (out) => grid(gridConfig.parse({ rows: [{ name: 'din', set: { 'model.name': 'din' } }] }), out, {}, () => {}),
  tune: (out) => tune(tuneConfig.parse({}), out, {}, () => {}),
  ablation: (out) => ablate(sftConfig.parse({}), ['negatives'], [1], out, () => {}),
}
for (const [name, study] of Object.entries(studies)) {
  test(`when another process runs a study in the folder of a ${name} then it is refused`, async () => {
    lock(join(at(name), lockFile))
    await assertRefused(() => study(at(name)), 'folder-locked', /mim other is working here/)
    assert.deepEqual(readdirSync(at(name)), [lockFile])
  })
}

test('when another process publishes a table then it is refused, and the published one stays', async () => {
  const link = join(at('published'), 'embeddings')
  await publishTable(link, 2, async (folder) => writeFileSync(join(folder, 'rows'), 'of the first'))
  lock(join(at('published'), 'tables', lockFile))
  await assertRefused(() => publishTable(link, 2, async () => {}), 'folder-locked', /mim other is working here/)
  assert.equal(readFileSync(join(at('published'), 'table', 'rows'), 'utf8'), 'of the first')
})

test('when an output file is in a run folder then the folder is locked', () => {
  const [run, file] = [join(at('run'), 'scores.parquet'), join(at('plain'), 'scores.parquet')]
  for (const path of [run, file]) mkdirSync(dirname(path))
  writeFileSync(join(at('run'), 'config.yaml'), 'stage: ctr')
  using _of = lockOutput(run)
  using _plain = lockOutput(file)
  assert.ok(existsSync(join(at('run'), lockFile)))
  assert.ok(existsSync(`${file}.lock`))
})

test('when a process was killed while it wrote a data set then the next one removes what it left', async () => {
  const out = at('killed')
  lock(`${out}.lock`, true)
  const part = (owner: object) => `${out}.part-${tokenOf({ ...thisProcess(), ...owner })}`
  const ended = part({ started: '1' })
  const elsewhere = part({ host: 'elsewhere' })
  for (const folder of [ended, elsewhere, `${out}.part-of-the-user`])
    mkdirSync(join(folder, 'pictures'), { recursive: true })
  await generateSearches({ out, behaviors: 10, seed: 1 })
  assert.ok(existsSync(join(out, 'behaviors.parquet')))
  assert.deepEqual(
    [ended, elsewhere, `${out}.part-of-the-user`, `${out}.lock`].map((path) => existsSync(path)),
    [false, true, true, false],
  )
})
