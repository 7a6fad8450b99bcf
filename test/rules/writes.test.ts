import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../fixtures.js'

test('when a source imports a call that renames then it is base/files.ts, which flushes to the disk first', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const renaming = sources.filter((name) => {
    const source = readFileSync(join(root, 'src', name), 'utf8')
    const [, imported = ''] = /^import \{([^}]*)\} from 'node:fs'/m.exec(source) ?? []
    const [, promised = ''] = /^import \{([^}]*)\} from 'node:fs\/promises'/m.exec(source) ?? []
    return /\b(rename|link)(Sync)?\b/.test(imported + promised)
  })
  assert.deepEqual(renaming, ['base/files.ts'])
})
