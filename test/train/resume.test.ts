import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { ctrConfig } from '../../src/config/ctr.js'
import { loadConfig } from '../../src/config/load.js'
import { Run } from '../../src/train/run.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()

/** Resumes a run with data options, that were others when it began. */
async function resume(name: string, before: object, now: object): Promise<void> {
  const out = join(folder, name)
  await mkdir(out)
  await writeFile(join(out, 'config.yaml'), stringify({ stage: 'ctr', data: before }))
  await Run.with({ out, stage: 'ctr', config: { data: now }, resume: true }, async () => {})
}

test('when a run began before units of times were inferred then it is resumed, with another unit it is not', async () => {
  const before = { timeUnit: 'us' }
  await resume('same', before, { timeUnit: 'us', timeZone: null })
  await resume('auto', before, { timeUnit: 'auto', timeZone: null })
  await assert.rejects(resume('seconds', { timeUnit: 's' }, { timeUnit: 'auto' }), { id: 'run-differs' })
  await assert.rejects(resume('zone', before, { timeUnit: 'auto', timeZone: 'Asia/Tokyo' }), { id: 'run-differs' })
})

test('when a later version has a new option then a run resumes with its default, with another value it does not', async () => {
  const out = join(folder, 'new-option')
  const config = loadConfig(ctrConfig, {})
  const options = { out, stage: 'ctr', schema: ctrConfig, resume: true }
  await Run.with({ ...options, config }, async () => {})
  const saved = parse(await readFile(join(out, 'config.yaml'), 'utf8'))
  delete saved.data.leaks
  await writeFile(join(out, 'config.yaml'), stringify(saved))
  const other = loadConfig(ctrConfig, { flags: { 'data.leaks': 'stop' } })
  await assert.rejects(
    Run.with({ ...options, config: other }, async () => {}),
    { id: 'run-differs' },
  )
  await Run.with({ ...options, config }, async () => {})
})
