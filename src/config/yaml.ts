/** What the YAML of a configuration may not be, in our words. */
import type { YAMLParseError } from 'yaml'
import { messageOf } from '../base/errors.js'

/** The message of an error of the YAML library. */
export function yamlProblem(error: unknown): string {
  const { code } = error as Partial<YAMLParseError>
  return code === 'MULTIPLE_DOCS'
    ? 'there is more than one YAML document (a line --- begins another)'
    : messageOf(error)
}

/** Whether a value of YAML contains itself, which an alias inside of its anchor can do. Visits each object once. */
export function containsItself(value: unknown, above = new Set<unknown>(), done = new Set<unknown>()): boolean {
  if (typeof value !== 'object' || value === null || done.has(value)) return false
  if (above.has(value)) return true
  above.add(value)
  const found = Object.values(value).some((inner) => containsItself(inner, above, done))
  above.delete(value)
  done.add(value)
  return found
}

export const selfProblem = 'a value contains itself (an alias *name inside of its anchor &name)'
