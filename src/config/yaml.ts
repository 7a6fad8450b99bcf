/** What the YAML of a configuration may not be, in our words. */
import type { YAMLParseError } from 'yaml'
import { messageOf } from '../base/errors.js'

/** The message of an error of the YAML library. */
export function yamlProblem(error: unknown): string {
  const { code } = error as Partial<YAMLParseError>
  if (code === 'MULTIPLE_DOCS') return 'there is more than one YAML document (a line --- begins another)'
  const message = messageOf(error)
  return /call stack/.test(message) ? 'values are nested too deeply' : message
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

/** The path of a key that no mapping may have, because objects of JavaScript have it for another purpose. */
export function reservedKey(value: unknown): string[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__') return [key]
    const below = reservedKey(inner)
    if (below) return [key, ...below]
  }
  return undefined
}

export const selfProblem = 'a value contains itself (an alias *name inside of its anchor &name)'
