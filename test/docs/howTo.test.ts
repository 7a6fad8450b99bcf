/** The code of the how-to pages fits the sources. `test/slow/howTo.test.ts` also runs what the pages say. */
import { test } from 'node:test'
import { temporaryFolder } from '../sample/folders.js'
import { copyRepository, execute, filesOf, write } from './copy.js'
import { howToPages } from './pages.js'

test('when all how-to pages are followed in one copy then the code compiles and is formatted', async () => {
  const folder = await temporaryFolder()
  copyRepository(folder)
  const pages = howToPages()
  for (const page of pages) write(page, folder)
  execute('tsc', folder)
  execute(`biome check --vcs-enabled=false ${filesOf(pages).join(' ')}`, folder)
})
