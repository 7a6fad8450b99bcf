/** JSON for Python, which distinguishes 1.0 from 1: transformers rejects an integer where it expects a float. */
import { readFileSync } from 'node:fs'
import { messageOf, UserError } from '../base/errors.js'

/**
 * Reads a JSON file; `floats` are the keys with values that are written as floats.
 * @throws UserError `json-broken` for invalid JSON.
 */
export function readJson(path: string): { json: Record<string, unknown>; floats: ReadonlySet<string> } {
  const text = readFileSync(path, 'utf8')
  try {
    const json = JSON.parse(text)
    return {
      json,
      floats: new Set(Array.from(text.matchAll(/"([^"\\]+)"\s*:\s*-?\d+(?:\.\d|[eE])/g), ([, key]) => key)),
    }
  } catch (error) {
    const what = messageOf(error).split('\n')[0]
    throw new UserError({ id: 'json-broken', where: path, what, expected: 'JSON', remedy: 'fetch the file again' })
  }
}

/** JSON text in which the values of the keys `floats` are written as floats. */
export function jsonText(content: unknown, floats: ReadonlySet<string>): string {
  const text = JSON.stringify(content, null, 2)
  const whole = /("([^"\\]+)": -?\d+)(?=,?\n)/g
  return `${text.replace(whole, (all, start, key) => (floats.has(key) ? `${start}.0` : all))}\n`
}
