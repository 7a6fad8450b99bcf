/** The documents of the repository, as tests read them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../fixtures.js'

export interface Block {
  /** The word after the fence, e.g. `ts`. */
  language: string
  /** Pairs and words of the fence line, e.g. `file=src/a.ts after="a line"` or `run`. */
  attributes: Readonly<Record<string, string>>
  text: string
}

export interface Page {
  /** Path from the root of the repository. */
  path: string
  /** The text without fenced blocks. */
  prose: string
  blocks: Block[]
}

/** README.md, CONTRIBUTING.md and all pages below docs/. */
export function allPages(): Page[] {
  const docs = existsSync(join(root, 'docs')) ? (readdirSync(join(root, 'docs'), { recursive: true }) as string[]) : []
  const below = docs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  return ['README.md', 'CONTRIBUTING.md', ...below.sort()].map(readPage)
}

export const howToPages = (): Page[] => allPages().filter(({ path }) => path.startsWith('docs/how-to/'))

function readPage(path: string): Page {
  const blocks: Block[] = []
  const prose: string[] = []
  let open: { fence: string; block: Block; lines: string[] } | undefined
  for (const line of readFileSync(join(root, path), 'utf8').split('\n')) {
    const fence = /^(`{3,})\s*(\w*)(.*)$/.exec(line)
    if (open) {
      if (fence?.[1] === open.fence && !fence[2]) {
        blocks.push({ ...open.block, text: open.lines.join('\n') })
        open = undefined
      } else open.lines.push(line)
    } else if (fence) {
      open = { fence: fence[1], block: { language: fence[2], attributes: attributesOf(fence[3]), text: '' }, lines: [] }
    } else prose.push(line)
  }
  if (open) throw new Error(`${path}: a fenced block has no end`)
  return { path, prose: prose.join('\n'), blocks }
}

function attributesOf(text: string): Record<string, string> {
  const found = text.matchAll(/(\w+)(?:=(?:"([^"]*)"|(\S+)))?/g)
  return Object.fromEntries([...found].map(([, name, quoted, plain]) => [name, quoted ?? plain ?? '']))
}

/** Texts of inline code. */
export const codeOf = ({ prose }: Page): string[] => [...prose.matchAll(/`([^`]+)`/g)].map(([, code]) => code)

/** Lines of shell blocks, without comments; continued lines are joined. */
export const shellLines = ({ blocks }: Page): string[] =>
  blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
