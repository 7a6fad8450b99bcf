/** Configuration files: YAML, or presets of the package by name. */
import { isUtf8 } from 'node:buffer'
import { closeSync, constants, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { messageOf, UserError } from '../base/errors.js'
import { withCurrentNames } from '../base/formerNames.js'
import { isTooDeep } from '../base/ownFile.js'
import { nearest } from '../base/suggest.js'
import { containsItself, reservedKey, selfProblem, yamlProblem } from './yaml.js'

export type Tree = { [key: string]: unknown }

export interface ConfigFile {
  /** The options, under their current names. */
  tree: Tree
  /** Path and line of an option, or of its nearest parent that the file has. */
  place(path: readonly PropertyKey[]): string
}

const presets = fileURLToPath(new URL('../../../configs/', import.meta.url))

/** Names of the presets in the package. */
export function presetNames(): string[] {
  if (!existsSync(presets)) return []
  const files = readdirSync(presets, { recursive: true }) as string[]
  return files.flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length).replaceAll('\\', '/')] : []))
}

/**
 * Reads a YAML file, or the preset of this name. `stage`: the stage that its options must be of, if the file says so.
 * @throws UserError `config-missing`, `config-yaml`, `config` for the key __proto__; `config-stage` for the configuration of another stage's run.
 */
export function readConfigFile(name: string, stage?: string): ConfigFile {
  const path = findFile(name)
  const lines = new LineCounter()
  const document = parseDocument(readText(path), {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
  })
  const [problem] = document.errors
  if (problem) {
    const where = `${path}:${lines.linePos(problem.pos[0]).line}`
    throw new UserError({ id: 'config-yaml', where, what: yamlProblem(problem), expected: 'YAML' })
  }
  const tree = plainValue(document, path) ?? {}
  const place = (keys: readonly PropertyKey[]) => {
    const offset = offsetOf(document, keys)
    return offset === undefined ? path : `${path}:${lines.linePos(offset).line}`
  }
  const reserved = reservedKey(tree)
  if (reserved) {
    const what = `${reserved.join('.')}: unknown option`
    throw new UserError({ id: 'config', where: place(reserved), what })
  }
  if (typeof tree !== 'object' || Array.isArray(tree)) {
    const [what, expected] = ['the file is not a mapping', 'key: value lines']
    throw new UserError({ id: 'config-yaml', where: path, what, expected })
  }
  // The configuration in a run folder names its stage, which is not an option.
  const { stage: written, ...options } = tree as Tree
  if (stage !== undefined && typeof written === 'string' && written !== stage) {
    const what = `this is the configuration of a run of mim ${written}`
    throw new UserError({ id: 'config-stage', where: path, what, expected: `a configuration of mim ${stage}` })
  }
  return { tree: withCurrentNames(options), place }
}

/** Bytes of a configuration at most; those of a run have some kilobytes. */
const mostBytes = 2 ** 22

/** The shell's own pipes, `--config <(…)` and standard input. Who writes to another pipe may never come. */
const ofShell = /^\/(dev\/(fd\/\d+|stdin)|proc\/self\/fd\/\d+)$/

/** @throws UserError `config-missing` for a pipe or device, `config-yaml` for what is no text of moderate size */
function readText(path: string): string {
  const found = statSync(path)
  const isOpen = ofShell.test(path)
  if (!found.isFile() && !isOpen && path !== devNull) {
    const [what, expected] = [`configuration '${path}' is a pipe, a socket or a device`, 'a file']
    throw new UserError({ id: 'config-missing', what, expected })
  }
  const refused = (what: string, expected: string) => new UserError({ id: 'config-yaml', where: path, what, expected })
  const bytes = firstBytes(path, mostBytes + 1, isOpen)
  if (bytes.length > mostBytes) throw refused(`more than ${mostBytes} bytes`, 'a configuration')
  if (!isUtf8(bytes)) throw refused('not UTF-8 text', 'YAML in UTF-8')
  const text = bytes.toString('utf8')
  if (isTooDeep(text)) throw refused('values are nested too deeply', 'YAML')
  return text
}

/** The first bytes of a file, at most `most`. Some files of the system have no size, and no end; others would wait. */
function firstBytes(path: string, most: number, mayWait: boolean): Buffer {
  const file = openSync(path, constants.O_RDONLY | (mayWait ? 0 : (constants.O_NONBLOCK ?? 0)))
  try {
    const buffer = Buffer.alloc(most)
    let length = 0
    for (let read = -1; read !== 0 && length < most; length += read)
      read = readSync(file, buffer, length, most - length, null)
    return buffer.subarray(0, length)
  } finally {
    closeSync(file)
  }
}

function findFile(name: string): string {
  const candidates = [name, `${presets}${name}.yaml`].map((path) => ({
    path,
    // Also false for a path below a file, and for a link to itself.
    stats: existsSync(path) ? statSync(path) : undefined,
  }))
  const found = candidates.find(({ stats }) => stats && !stats.isDirectory())
  if (found) return found.path
  const [{ stats }] = candidates
  const ofRun = join(name, 'config.yaml')
  const suggestion = stats && existsSync(ofRun) ? ofRun : nearest(name, presetNames())
  throw new UserError({
    id: 'config-missing',
    what: `configuration '${name}' ${stats ? 'is a folder' : 'was not found'}`,
    remedy: suggestion
      ? `did you mean '${suggestion}'?`
      : 'give the path of a YAML file, or the name of a preset in configs/ without .yaml',
  })
}

function plainValue(document: Document, path: string): unknown {
  const refused = (what: string) => new UserError({ id: 'config-yaml', where: path, what, expected: 'YAML' })
  let value: unknown
  try {
    value = document.toJS()
  } catch (error) {
    // An alias without its anchor, or too many aliases.
    throw refused(messageOf(error))
  }
  if (containsItself(value)) throw refused(selfProblem)
  return value
}

/** Offset in the text of the last key of `path` that the document has. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  let node = document.contents as Node | null | undefined
  let offset: number | undefined
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key: own }) => isScalar(own) && String(own.value) === String(key))
      if (!pair) break
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value as Node | null
    } else if (isSeq(node)) {
      node = node.items[Number(key)] as Node | undefined
      offset = node?.range?.[0] ?? offset
    } else break
  }
  return offset
}
