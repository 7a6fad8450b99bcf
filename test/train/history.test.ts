import assert from 'node:assert/strict'
import { existsSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { UserError } from '../../src/base/errors.js'
import { History } from '../../src/train/history.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()

test('when the disk is full while the history is saved then the error names the file, and nothing ends the process', {
  skip: existsSync('/dev/full') ? false : 'no /dev/full',
}, async () => {
  const path = join(folder, 'history.parquet')
  const history = new History(path)
  history.add({ step: 1, loss: 2 })
  symlinkSync('/dev/full', `${path}.part`)
  await assert.rejects(history.save(), (error: UserError) => {
    assert.equal(error.id, 'place-full')
    assert.match(error.message, /history\.parquet: cannot be written: no space left on the disk/)
    return true
  })
  assert.deepEqual(readdirSync(folder), [])
  await history.save()
  const loaded = new History(path)
  await loaded.load(1)
  assert.deepEqual(loaded.rows, [{ step: 1, loss: 2 }])
})
