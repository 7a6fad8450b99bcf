/** JSON for Python, which distinguishes 1.0 from 1: transformers rejects an integer where it expects a float. */
import { z } from 'zod'
import { matching, readJsonText } from '../base/ownFile.js'

const object = z.record(z.string(), z.unknown())
const recovery = { id: 'json-broken', remedy: 'fetch the file again' }

/**
 * Reads a JSON file; `floats` are the keys with values that are written as floats.
 * @throws UserError `json-broken` for what is not a JSON object.
 */
export function readJson(path: string): { json: Record<string, unknown>; floats: ReadonlySet<string> } {
  const { json, text } = readJsonText(path, recovery)
  return {
    json: matching(path, json, object, recovery),
    floats: new Set(Array.from(text.matchAll(/"([^"\\]+)"\s*:\s*-?\d+(?:\.\d|[eE])/g), ([, key]) => key)),
  }
}

/** JSON text in which the values of the keys `floats` are written as floats. */
export function jsonText(content: unknown, floats: ReadonlySet<string>): string {
  const text = JSON.stringify(content, null, 2)
  const whole = /("([^"\\]+)": -?\d+)(?=,?\n)/g
  return `${text.replace(whole, (all, start, key) => (floats.has(key) ? `${start}.0` : all))}\n`
}
