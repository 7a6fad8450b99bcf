/** The how-to pages work: whoever does what they say has code that compiles, runs and keeps the rules. */
import { test } from 'node:test'
import { temporaryFolder } from '../sample/folders.js'
import { copyRepository, execute, follow } from './copy.js'
import { allPages } from './pages.js'

const pages = allPages().filter(({ path }) => path.startsWith('docs/how-to/'))
// One copy for all: it is compiled and checked once, and what one page adds must not break another.
const folder = await temporaryFolder()
copyRepository(folder)

for (const page of pages) {
  test(`when ${page.path} is followed then the code compiles and runs`, () => {
    follow(page, folder)
    if (!page.blocks.some(({ attributes }) => attributes['run'] !== undefined)) throw new Error('nothing was run')
  })
}

test('when all pages were followed then format, lint and imports are as everywhere', () => {
  const files = new Set(pages.flatMap(({ blocks }) => blocks.flatMap(({ attributes }) => attributes['file'] ?? [])))
  execute(`biome check --vcs-enabled=false ${[...files].join(' ')}`, folder)
  execute('depcruise src', folder)
})
