/** Loads a configuration from defaults, YAML files, --set options and flags; later sources override earlier ones. */
import { parse } from 'yaml'
import type { z } from 'zod'
import { UserError } from '../base/errors.js'
import { currentPath, withCurrentNames } from '../base/formerNames.js'
import { isTooDeep } from '../base/ownFile.js'
import { readConfigFile, type Tree } from './file.js'
import { type Origin, originOf, problemLines } from './problems.js'
import { containsItself, reservedKey, selfProblem, yamlProblem } from './yaml.js'

export interface ConfigSources {
  /** YAML files, or names of presets such as `market/pretrain`; a later one is merged over those before it. */
  file?: string | readonly string[]
  /** The stage of the options; configurations of another stage's run are refused. */
  stage?: string
  /** Values by path, which a study sets. */
  values?: Readonly<Record<string, unknown>>
  /** `a.b=c` each; the value is parsed as YAML. */
  sets?: readonly string[]
  /** Values of command-line flags by path; undefined if not given. */
  flags?: Readonly<Record<string, unknown>>
}

/** One option that was given outside the files. */
interface Given {
  path: string
  value: unknown
  /** How the user wrote it. */
  text: string
  kind: Origin['kind']
}

/**
 * The validated configuration. Mappings of several files are merged key by key; lists and values are replaced.
 * @throws UserError `config-missing`, `config-yaml`, `config-stage`, `set-syntax`, or `config` with every problem.
 */
export function loadConfig<S extends z.ZodType>(schema: S, sources: ConfigSources): z.output<S> {
  const files = [sources.file ?? []].flat().map((name) => readConfigFile(name, sources.stage))
  const tree = files.reduce<Tree>((under, { tree }) => merged(under, tree), {})
  const given = givenOptions(sources)
  for (const one of given) put(tree, one)
  const current = withCurrentNames(tree)
  const result = schema.safeParse(current)
  if (result.success) return result.data
  const origins = given.map(({ path, text, kind }): Origin => ({ path: currentPath(path).split('.'), text, kind }))
  const lines = result.error.issues.flatMap((issue) => {
    const origin = (path: readonly PropertyKey[]) => originOf(path, origins, files, current)
    return problemLines(issue, current, schema, origin)
  })
  const [what] = lines
  if (lines.length === 1) throw new UserError({ id: 'config', what })
  throw new UserError({ id: 'config', what: [`configuration has ${lines.length} problems`, ...lines] })
}

/** `over` laid over `under`. */
function merged(under: Tree, over: Tree): Tree {
  const result = new Map(Object.entries(under))
  for (const [key, value] of Object.entries(over)) {
    const before = result.get(key)
    result.set(key, isTree(before) && isTree(value) ? merged(before, value) : value)
  }
  // Unlike an assignment, this makes of __proto__ a key like any other, which the schema refuses.
  return Object.fromEntries(result)
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Everything given outside the files, in the order of precedence. */
function givenOptions({ values = {}, sets = [], flags = {} }: ConfigSources): Given[] {
  const plain = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  return [
    ...Object.entries(values).map(([path, value]) => ({ path, value, text: path, kind: 'value' as const })),
    ...sets.map((text) => {
      const split = text.indexOf('=')
      if (split < 1) throw new UserError({ id: 'set-syntax', what: `--set ${text}`, expected: 'path.to.option=value' })
      const [path, value] = [text.slice(0, split), setValue(text, text.slice(split + 1))]
      return { path, value, text: `--set ${text}`, kind: 'set' as const }
    }),
    ...Object.entries(flags).map(([path, value]) => {
      return { path, value, text: `${flagOf(path)} ${plain(value)}`, kind: 'flag' as const }
    }),
  ].filter(({ value }) => value !== undefined)
}

/** Flags with another name than the last key of their option. */
const flagNames: Readonly<Record<string, string>> = { 'data.root': '--data', 'model.name': '--model' }

/** The flag of an option: `train.maxTime` is --max-time. */
export function flagOf(path: string): string {
  const key = path.slice(path.lastIndexOf('.') + 1)
  return flagNames[path] ?? `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** Parses the value of `--set path=value` as YAML. */
function setValue(text: string, value: string): unknown {
  const refused = (problem: string) => {
    const what = `--set ${text}: ${problem}`
    return new UserError({ id: 'set-syntax', what, expected: 'a YAML value; quote special characters' })
  }
  if (isTooDeep(value)) throw refused('values are nested too deeply')
  let parsed: unknown
  try {
    parsed = parse(value, { prettyErrors: false, logLevel: 'error' })
  } catch (error) {
    throw refused(yamlProblem(error))
  }
  if (containsItself(parsed)) throw refused(selfProblem)
  if (reservedKey(parsed)) throw refused(`${reservedKey(parsed)!.join('.')}: unknown option`)
  return parsed
}

function put(tree: Tree, { path, value, text }: Given): void {
  const keys = currentPath(path).split('.')
  if (keys.some((key) => key in Object.prototype))
    throw new UserError({ id: 'config', what: `${text}: unknown option` })
  const last = keys.pop()!
  let at = tree
  for (const key of keys) {
    const inner = at[key]
    at[key] = typeof inner === 'object' && inner !== null ? inner : {}
    at = at[key] as Tree
  }
  at[last] = value
}
