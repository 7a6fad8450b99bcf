import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
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
