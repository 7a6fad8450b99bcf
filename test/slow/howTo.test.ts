/** The how-to pages work: whoever does what they say has code that compiles, runs and keeps the import rules. */
import { test } from 'node:test'
import { copyRepository, execute, filesOf, run, write } from '../docs/copy.js'
import { howToPages } from '../docs/pages.js'
import { temporaryFolder } from '../sample/folders.js'

const folder = await temporaryFolder()
copyRepository(folder)

for (const page of howToPages()) {
  test(`when ${page.path} is followed then the code compiles and runs`, () => {
    write(page, folder)
    run(page, folder)
  })
}

test('when all how-to pages were followed then the code is formatted and imports point down', () => {
  execute(`biome check --vcs-enabled=false ${filesOf(howToPages()).join(' ')}`, folder)
  execute('depcruise src', folder)
})
