import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../fixtures.js'

const most = 20

test(`when a folder of src is listed then it has at most ${most} files`, () => {
  const entries = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  const counts = new Map<string, number>()
  for (const entry of entries) {
    if (entry.isFile()) counts.set(entry.parentPath, (counts.get(entry.parentPath) ?? 0) + 1)
  }
  assert.ok(counts.size > 20, 'src has folders')
  assert.deepEqual(
    [...counts].filter(([, count]) => count > most),
    [],
  )
})
