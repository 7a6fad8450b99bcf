/** A copy of the repository in which the steps of a how-to page are carried out. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { root } from '../fixtures.js'
import type { Block, Page } from './pages.js'

/** Not part of a copy: results, packages (linked), and what belongs to other tools. */
const leftOut = new Set(['runs', 'node_modules', '.git', '.github', '.ci', 'docs', 'deploy', 'coverage'])

export function copyRepository(folder: string): void {
  for (const name of readdirSync(root)) {
    if (!leftOut.has(name)) cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
}

/** Files that the blocks of pages make or edit. */
export const filesOf = (pages: readonly Page[]) => [
  ...new Set(pages.flatMap(({ blocks }) => blocks.flatMap(({ attributes }) => attributes['file'] ?? []))),
]

/**
 * Makes the files and edits of a page. A block `file=PATH` is a new file; with `after="LINE"`, `before="LINE"` or
 * `replace="LINE"` it is an edit at the one line of the file that reads LINE, whatever its indentation.
 */
export function write(page: Page, folder: string): void {
  for (const block of page.blocks) {
    const { file } = block.attributes
    if (file !== undefined) edit(page, block, join(folder, file))
  }
}

/** Runs the blocks `run` of a page. */
export function run(page: Page, folder: string): void {
  const blocks = page.blocks.filter(({ attributes }) => attributes['run'] !== undefined)
  if (blocks.length === 0) throw new Error(`${page.path} has nothing to run`)
  for (const { text } of blocks) execute(text, folder)
}

function edit(page: Page, { attributes, text }: Block, path: string): void {
  const { file, after, before, replace } = attributes
  // Readers see the path and the line only where the text says them.
  const prose = page.prose.replaceAll(/\s+/g, ' ')
  if (!prose.includes(`\`${file}\``)) throw new Error(`${page.path} does not say in its text what \`${file}\` is`)
  const anchor = after ?? before ?? replace
  if (anchor === undefined) {
    if (existsSync(path)) throw new Error(`${page.path}: ${file} exists already`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${text}\n`)
    return
  }
  if (!prose.includes(`\`${anchor}\``)) throw new Error(`${page.path} does not quote the line: ${anchor}`)
  const lines = readFileSync(path, 'utf8').split('\n')
  const places = lines.flatMap((line, i) => (line.trim() === anchor ? [i] : []))
  if (places.length !== 1) throw new Error(`${page.path}: ${file} has ${places.length} lines that read: ${anchor}`)
  const [place] = places
  lines.splice(before === undefined && replace === undefined ? place + 1 : place, replace === undefined ? 0 : 1, text)
  writeFileSync(path, lines.join('\n'))
}

/** Runs commands as a person would who has `bin` and the packages' tools on the path. */
export function execute(commands: string, folder: string): string {
  const path = [join(folder, 'bin'), join(folder, 'node_modules/.bin'), process.env['PATH']].join(delimiter)
  const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', commands], {
    cwd: folder,
    encoding: 'utf8',
    // The runner of tests marks its processes; tests that a page runs are not below it.
    env: { ...process.env, PATH: path, NODE_TEST_CONTEXT: undefined },
  })
  if (status !== 0) throw new Error(`exit code ${status} of:\n${commands}\n${stdout}\n${stderr}`)
  return stdout
}
