/** The how-to pages work: whoever does what a page says has code that compiles, keeps the rules and runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryFolder } from '../sample/folders.js'
import { copyRepository, execute, follow } from './copy.js'
import { allPages } from './pages.js'

for (const page of allPages().filter(({ path }) => path.startsWith('docs/how-to/'))) {
  test(`when ${page.path} is followed then the code compiles, keeps the rules and runs`, async () => {
    const folder = await temporaryFolder()
    copyRepository(folder)
    follow(page, folder)
    assert.ok(
      page.blocks.some(({ attributes }) => attributes['run'] !== undefined),
      'a page has something to run',
    )
    const files = [...new Set(page.blocks.flatMap(({ attributes }) => attributes['file'] ?? []))]
    execute(`biome check --vcs-enabled=false ${files.join(' ')}`, folder)
    execute('depcruise src', folder)
  })
}
