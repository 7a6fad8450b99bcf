/** Problems of a configuration as lines: where the user wrote the value, the value, and the rule. */
import type { z } from 'zod'
import { nearest } from '../base/suggest.js'
import type { ConfigFile, Tree } from './file.js'
import { optionPaths, schemaAt, shapeOf } from './schemaTree.js'

/** Where a value of the configuration was written. */
export interface Origin {
  path: readonly string[]
  /** What the user wrote: `--set train.batch=3`, `--epochs two`. */
  text: string
  kind: 'value' | 'set' | 'flag' | 'file' | 'default'
}

/** The last source that gave the option at `path`, or a part of it. */
export function originOf(
  path: readonly PropertyKey[],
  given: readonly Origin[],
  files: readonly ConfigFile[],
  tree: Tree,
): Origin {
  const keys = path.map(String)
  const isPrefix = (a: readonly string[], b: readonly string[]) => a.every((key, i) => b[i] === key)
  const last = given.findLast((one) => isPrefix(one.path, keys) || isPrefix(keys, one.path))
  if (last) return last
  const dotted = keys.join('.')
  const file = files.findLast((one) => valueAt(one.tree, keys) !== undefined)
  if (file) return { path: keys, text: [file.place(keys), dotted].filter(Boolean).join(': '), kind: 'file' }
  // A required option that nobody gave, or a mistake in a default.
  const near = valueAt(tree, keys.slice(0, -1)) === undefined ? undefined : files.at(-1)
  const where = near && keys.length > 1 ? `${near.place(keys)}: ` : ''
  return { path: keys, text: `${where}${dotted}`, kind: 'default' }
}

/** One line per problem: where it was written, the value and the rule; for an unknown key the most similar known one. */
export function problemLines(
  issue: z.core.$ZodIssue,
  tree: Tree,
  schema: z.ZodType,
  origin: (path: readonly PropertyKey[]) => Origin,
): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key]
      const { text, kind, path: written } = origin(path)
      const parent = kind === 'set' ? issue.path.map((name) => `${String(name)}.`).join('') : ''
      const dotted = path.map(String).join('.')
      // What the user wrote names the option, unless it is inside of a value.
      const where = (kind === 'set' || kind === 'flag') && written.length < path.length ? `${text}: ${dotted}` : text
      return `${where}: unknown option; ${alternative(key, parent, issue.path, tree, schema)}`
    })
  }
  const value = valueAt(tree, issue.path)
  const { text, kind, path } = origin(issue.path)
  const rule = value === undefined ? ruleOf(issue).replace(/, received undefined$/, '') : ruleOf(issue)
  // What the user wrote has the value in it, unless the problem is of a part of it.
  if ((kind === 'set' || kind === 'flag') && path.length === issue.path.length) return [`${text}: ${rule}`]
  // JSON has no NaN.
  const shown = Number.isNaN(value) ? 'not a number' : value === undefined ? 'missing' : textOf(value)
  const dotted = kind === 'file' || kind === 'default' ? '' : `${issue.path.map(String).join('.')}: `
  return [kind === 'value' ? `${dotted}${shown}; ${rule}` : `${text}: ${dotted}${shown}; ${rule}`]
}

/** JSON, which has no infinities. */
const textOf = (value: unknown) => (typeof value === 'number' ? String(value) : JSON.stringify(value))

/** The rule in an issue's message; of a union, the rules of its members. */
function ruleOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const rules = issue.errors.map(([first]) => ruleOf(first).replace(/^expected |, received \w+$/g, ''))
    return `expected ${[...new Set(rules)].join(' or ')}`
  }
  return issue.message.replace(/^Invalid (input|option): /, '').replace(/^Too (big|small): /, '')
}

/** What an unknown key may have meant: a similar one, one of this name elsewhere, or any that there is. */
function alternative(key: string, parent: string, path: readonly PropertyKey[], tree: Tree, schema: z.ZodType): string {
  const known = Object.keys(shapeOf(schemaAt(schema, path, tree)))
  const similar = nearest(key, known)
  if (similar) return `did you mean '${parent}${similar}'?`
  const elsewhere = optionPaths(schema).find((option) => option.endsWith(`.${key}`))
  if (elsewhere) return `did you mean '${elsewhere}'?`
  return known.length > 0 ? `expected one of ${known.join(', ')}` : 'there are no options here'
}

function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => {
    const isParent = typeof at === 'object' && at !== null && Object.hasOwn(at, key)
    return isParent ? (at as Record<PropertyKey, unknown>)[key] : undefined
  }, tree)
}
