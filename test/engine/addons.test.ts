import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkAddons, installedAddons } from '../../src/engine/addons.js'
import { temporaryFolder } from '../sample/folders.js'

test('when an addon is cut short then it is refused before it can crash the process', async () => {
  const folder = await temporaryFolder()
  const [addon, record] = [join(folder, 'tfjs_binding.node'), join(folder, 'source.json')]
  const content = Buffer.alloc(1000, 7)
  const sha256 = { 'tfjs_binding.node': createHash('sha256').update(content).digest('hex'), 'mim_kernels.node': 'x' }
  writeFileSync(addon, content)
  // The published binary has no record.
  checkAddons(folder)
  writeFileSync(record, JSON.stringify({ source: '/libraries', sha256 }))
  checkAddons(folder)
  assert.equal(installedAddons(folder).source, '/libraries')
  const isDamaged = (path: string) => ({
    id: 'addon-damaged',
    message: `${path}: this file is damaged; run bin/setup-tensorflow`,
  })
  writeFileSync(addon, content.subarray(0, 500))
  assert.throws(() => checkAddons(folder), isDamaged(addon))
  for (const text of ['', 'null', '{"source"']) {
    writeFileSync(record, text)
    assert.throws(() => checkAddons(folder), isDamaged(record), text)
  }
  rmSync(record)
  checkAddons(folder)
})
