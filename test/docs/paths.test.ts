/** What the documents name exists: files, headings, commands, options, rooms. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import type { z } from 'zod'
import { presetNames } from '../../src/config/file.js'
import { schemas } from '../../src/config/schemas.js'
import { shapeOf, unwrap } from '../../src/config/schemaTree.js'
import { root } from '../fixtures.js'
import { allPages, codeOf, type Page, shellLines } from './pages.js'

const pages = allPages()
const text = (path: string) => readFileSync(join(root, path), 'utf8')

/** Asserts that nothing was found, and says on which page it was. */
function none(missing: (page: Page) => string[]): void {
  const found = pages.flatMap((page) => missing(page).map((what) => `${page.path}: ${what}`))
  assert.deepEqual(found, [])
}

/** Folders of the root that paths in documents start with. */
const folders = ['src', 'test', 'configs', 'deploy', 'docs', 'bin', '.github', '.ci']
const pathPattern = new RegExp(String.raw`(?<![\w./-])(?:${folders.join('|').replaceAll('.', '\\.')})/[\w./@*-]*`, 'g')
/** Outputs of the compiler stand for their sources. */
const compiled = /(?<![\w./-])dist\/(?:src|test)\/[\w./-]+\.js\b/g

test('when a document names a file or a folder then it exists', () => {
  none((page) => {
    // A how-to makes files; it may name those.
    const made = new Set(page.blocks.flatMap(({ attributes }) => (attributes['file'] ? [attributes['file']] : [])))
    const named = [...codeOf(page), ...shellLines(page)].flatMap((code) => [
      ...[...code.matchAll(pathPattern)].map(([path]) => path.replace(/[.,]$/, '')),
      ...[...code.matchAll(compiled)].map(([path]) => path.replace(/^dist\//, '').replace(/\.js$/, '.ts')),
    ])
    // Patterns, and names in capitals, stand for several.
    const exact = named.filter((path) => !/\*|\/[A-Z]+\b(?!\.md)/.test(path))
    return exact.filter((path) => !made.has(path) && !existsSync(join(root, path)))
  })
})

/** The anchor that GitHub gives to a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

test('when a document links to a file or a heading then it exists', () => {
  none(({ path, prose }) =>
    [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
      if (/^[a-z]+:/.test(link)) return []
      const [file, anchor] = link.split('#')
      const target = file ? normalize(join(dirname(path), file)) : path
      if (!existsSync(join(root, target))) return [link]
      const headings = anchor ? [...text(target).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading)) : []
      return anchor && !headings.includes(anchor) ? [link] : []
    }),
  )
})

test('when a document names a target of make or a script of npm then it exists', () => {
  const targets = new Set([...text('Makefile').matchAll(/^([a-z][\w-]*):/gm)].map(([, target]) => target))
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> }
  none((page) =>
    [...codeOf(page), ...shellLines(page)].flatMap((code) => {
      const made = [...code.matchAll(/(?:^|[;&|] *)make ([a-z][\w-]*)/g)].map(([, target]) => target)
      const run = [...code.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, script]) => script)
      return [
        ...made.filter((target) => !targets.has(target)).map((target) => `make ${target}`),
        ...run.filter((script) => !Object.hasOwn(scripts, script)).map((script) => `npm run ${script}`),
      ]
    }),
  )
})

const roots = Object.values(schemas) as z.ZodType[]

/** Whether a schema has an option at `path`; `*` stands for any; what a record or a union has below it is not known. */
function hasOption(schema: z.ZodType, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined || key === '*') return true
  const shape = shapeOf(unwrap(schema))
  return Object.hasOwn(shape, key) && hasOption(shape[key], rest)
}

/** Groups of options: keys that are objects themselves. */
const groups = new Set(
  roots.flatMap((schema) =>
    Object.entries(shapeOf(unwrap(schema))).flatMap(([key, option]) =>
      Object.keys(shapeOf(unwrap(option))).length > 0 ? [key] : [],
    ),
  ),
)

test('when a document names an option by its path then a stage has it', () => {
  none((page) => {
    const made = page.blocks.flatMap(({ attributes, text }) => (attributes['file'] ? [text] : [])).join('\n')
    const paths = [...codeOf(page), ...shellLines(page)].flatMap((code) => {
      const set = [...code.matchAll(/--set[ =]'?([\w.]+)=/g)].map(([, path]) => path)
      const alone = /^([a-z]\w*)(?:\.(?:\w+|\*))+$/.exec(code)
      const isOption = alone && groups.has(alone[1]) && !/\.(parquet|json|jsonl|yaml|html|npy|ts|md)$/.test(code)
      return isOption ? [...set, code] : set
    })
    const unknown = paths.filter((path) => !roots.some((schema) => hasOption(schema, path.split('.'))))
    // A how-to may add the option itself.
    return unknown.filter((path) => !new RegExp(`\\b${path.split('.').at(-1)}\\b`).test(made))
  })
})

test('when a document shows a command of mim then the command line has its options, and the preset exists', () => {
  const files = readdirSync(join(root, 'src/commands'), { recursive: true }) as string[]
  const sources = ['src/cli.ts', ...files.filter((file) => file.endsWith('.ts')).map((file) => `src/commands/${file}`)]
  const known = new Set(sources.flatMap((source) => [...text(source).matchAll(/--[a-z][\w-]*/g)].map(([flag]) => flag)))
  const presets = new Set(presetNames())
  none((page) => {
    const made = new Set(page.blocks.flatMap(({ attributes }) => (attributes['file'] ? [attributes['file']] : [])))
    return [...codeOf(page), ...shellLines(page)]
      .filter((code) => /(^|\s)mim [a-z]/.test(code))
      .flatMap((code) => {
        const flags = [...code.matchAll(/(?<=\s)--[a-z][\w-]*/g)].map(([flag]) => flag)
        const named = [...code.matchAll(/(?:-c|--config) ([\w-]+\/[\w-]+)(?=\s|$)/g)].map(([, preset]) => preset)
        return [
          ...flags.filter((flag) => !known.has(flag) && !['--help', '--version'].includes(flag)),
          ...named.filter((preset) => !presets.has(preset) && !made.has(`configs/${preset}.yaml`)),
        ]
      })
  })
})

test('when the rooms below src change then the table of rooms in docs/architecture.md says so', async () => {
  const rules = (await import(join(root, '.dependency-cruiser.mjs'))) as { floors: string[][] }
  const exists = (room: string) => [room, `${room}.ts`].some((name) => existsSync(join(root, 'src', name)))
  // A room may have its floor before its first file.
  const stated = rules.floors.map((rooms) => rooms.filter(exists)).filter((rooms) => rooms.length > 0)
  const table = [...text('docs/architecture.md').matchAll(/^\| (\d+) \| `(\w+)` \|/gm)]
  const written = table.map(([, floor, room]) => `${floor} ${room}`)
  assert.deepEqual(
    written,
    stated.flatMap((rooms, i) => rooms.map((room) => `${i + 1} ${room}`)),
  )
})
