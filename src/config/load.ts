/** Loads a configuration from defaults, a YAML file, --set options and flags; later sources override earlier ones. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Document, LineCounter, parse, parseDocument } from 'yaml'
import type { z } from 'zod'
import { messageOf, UserError } from '../base/errors.js'
import { currentPath, withCurrentNames } from '../base/formerNames.js'
import { nearest } from '../base/suggest.js'

export interface ConfigSources {
  /** A YAML file, or the name of a preset such as `market/pretrain`. */
  file?: string
  /** `a.b=c` each; the value is parsed as YAML. */
  sets?: readonly string[]
  /** Values of command-line flags by path; undefined if not given. */
  flags?: Readonly<Record<string, unknown>>
}

const presets = fileURLToPath(new URL('../../../configs/', import.meta.url))

type Tree = { [key: string]: unknown }

/**
 * The validated configuration.
 * @throws UserError `config-missing`, `config-yaml`, `set-syntax`, or `config` with one line per problem.
 */
export function loadConfig<S extends z.ZodType>(
  schema: S,
  { file, sets = [], flags = {} }: ConfigSources,
): z.output<S> {
  const tree = file ? withCurrentNames(readYaml(file)) : {}
  for (const text of sets) {
    const split = text.indexOf('=')
    if (split < 1) throw new UserError({ id: 'set-syntax', what: `--set ${text}`, expected: 'path.to.option=value' })
    put(tree, text.slice(0, split), setValue(text, text.slice(split + 1)))
  }
  for (const [path, value] of Object.entries(flags)) if (value !== undefined) put(tree, path, value)
  const current = withCurrentNames(tree)
  const result = schema.safeParse(current)
  if (result.success) return result.data
  const lines = result.error.issues.flatMap((issue) => problems(issue, current, schema))
  throw new UserError({
    id: 'config',
    what: [`${file ?? 'configuration'} has ${lines.length} problem(s)`, ...lines].join('\n  '),
  })
}

/** Parses the value of `--set path=value` as YAML. */
function setValue(text: string, value: string): unknown {
  try {
    return parse(value, { prettyErrors: false })
  } catch (error) {
    const what = `--set ${text}: ${messageOf(error)}`
    throw new UserError({ id: 'set-syntax', what, expected: 'a YAML value; quote special characters' })
  }
}

/** Names of the presets in the package. */
export function presetNames(): string[] {
  if (!existsSync(presets)) return []
  const files = readdirSync(presets, { recursive: true }) as string[]
  return files.flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length).replaceAll('\\', '/')] : []))
}

function readYaml(name: string): Tree {
  const path = [name, `${presets}${name}.yaml`].find((p) => statSync(p, { throwIfNoEntry: false })?.isFile())
  if (!path) {
    const suggestion = nearest(name, presetNames())
    const remedy = suggestion
      ? `did you mean '${suggestion}'?`
      : 'give a path, or the name of a preset in configs/ without .yaml'
    throw new UserError({ id: 'config-missing', what: `configuration '${name}' was not found`, remedy })
  }
  const lines = new LineCounter()
  const document = parseDocument(readFileSync(path, 'utf8'), { lineCounter: lines, prettyErrors: false })
  const [problem] = document.errors
  if (problem) {
    const where = `${path}:${lines.linePos(problem.pos[0]).line}`
    throw new UserError({ id: 'config-yaml', where, what: problem.message, expected: 'YAML' })
  }
  const tree = plainValue(document, path) ?? {}
  if (typeof tree !== 'object' || Array.isArray(tree)) {
    const [what, expected] = ['the file is not a mapping', 'key: value lines']
    throw new UserError({ id: 'config-yaml', where: path, what, expected })
  }
  // The configuration in a run folder names its stage, which is not an option.
  const { stage: _, ...options } = tree as Tree
  return options
}

function plainValue(document: Document, path: string): unknown {
  try {
    return document.toJS()
  } catch (error) {
    // An alias without its anchor, or too many aliases.
    throw new UserError({ id: 'config-yaml', where: path, what: messageOf(error), expected: 'YAML' })
  }
}

function put(tree: Tree, path: string, value: unknown): void {
  const keys = currentPath(path).split('.')
  if (keys.some((key) => key in Object.prototype))
    throw new UserError({ id: 'config', what: `${path}: unknown option` })
  const last = keys.pop()!
  let at = tree
  for (const key of keys) {
    const inner = at[key]
    at[key] = typeof inner === 'object' && inner !== null ? inner : {}
    at = at[key] as Tree
  }
  at[last] = value
}

/** One line per problem: path, value and rule; for an unknown key the most similar known one. */
function problems(issue: z.core.$ZodIssue, tree: Tree, schema: z.ZodType): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path)
    return issue.keys.map((key) => {
      const suggestion = nearest(key, known)
      const path = [...issue.path, key].join('.')
      const expected = known.length > 0 ? `; expected one of ${known.join(', ')}` : ''
      return `${path}: unknown option${suggestion ? `; did you mean '${suggestion}'?` : expected}`
    })
  }
  const value = issue.path.reduce<unknown>((at, key) => (at as Tree | undefined)?.[key as string], tree)
  const rule = issue.message.replace(/^Invalid (input|option): /, '').replace(/^Too (big|small): /, '')
  // JSON has no NaN.
  const shown = Number.isNaN(value) ? 'not a number' : JSON.stringify(value)
  return [`${issue.path.join('.')}: ${shown}; ${rule}`]
}

/** Keys of the object schema at `path`. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: z.ZodType | undefined = unwrap(schema)
  for (const key of path) {
    const inner: z.ZodType | undefined = at && (shapeOf(at)[key as string] ?? elementOf(at))
    at = inner && unwrap(inner)
  }
  return at ? Object.keys(shapeOf(at)) : []
}

/** The schema of each element of a list or of a record's values. */
function elementOf(schema: z.ZodType): z.ZodType | undefined {
  const { element, valueType } = (schema as unknown as { def: { element?: z.ZodType; valueType?: z.ZodType } }).def
  return element ?? valueType
}

/** The options of an object schema; empty for other schemas. */
export function shapeOf(schema: z.ZodType): Record<string, z.ZodType> {
  return (schema as unknown as { shape?: Record<string, z.ZodType> }).shape ?? {}
}

/** The schema inside defaults and optionals. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let at = schema as unknown as { def: { innerType?: z.ZodType } }
  while (at.def.innerType) at = at.def.innerType as unknown as typeof at
  return at as unknown as z.ZodType
}
