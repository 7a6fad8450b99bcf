import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../fixtures.js'

const sources = (folder: string) =>
  (readdirSync(join(root, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'))

test('when an error has an id then some test names it', () => {
  const ids = new Set(
    sources('src').flatMap((text) => Array.from(text.matchAll(/\bid: '([a-z0-9-]+)'/g), ([, id]) => id)),
  )
  assert.ok(ids.size > 90, `${ids.size} ids`)
  const words = new Set(sources('test').flatMap((text) => text.match(/[a-z0-9]+(?:-[a-z0-9]+)*/g)))
  assert.deepEqual([...ids].filter((id) => !words.has(id)).sort(), [])
})
