/**
 * Reads JSON and YAML that mim wrote earlier. By now a file may be spoilt: cut short, zeros after a power cut, edited,
 * replaced by something else. Each is one error that says what, where, and how to get the file back.
 */
import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { parse } from 'yaml'
import type { z } from 'zod'
import { messageOf, UserError } from './errors.js'

/** Larger files are not read into memory [bytes]. */
const maxBytes = 2 ** 28
/** Most lists and objects inside each other: what walks the content calls itself for each. */
const maxDepth = 200
/** The configuration of a run has some kilobytes. In so few bytes indentation nests a thousand levels. */
const maxYamlBytes = 2 ** 20
/** Lists in a line of YAML, inside each other. */
const deepBlocks = new RegExp(`^ *(?:[-?:] +){${maxDepth}}`, 'm')

/** How a spoilt file is reported. */
export interface Recovery {
  /** How to get the file back. */
  remedy: string
  /** Id of the error; default: `file-broken`. */
  id?: string
}

/** The error for a file of mim with content that mim does not write. */
export function brokenFile(where: string, what: string, { remedy, id }: Recovery, expected?: string): UserError {
  return id === undefined
    ? new UserError({ id: 'file-broken', where, what, expected, remedy })
    : new UserError({ id, where, what, expected, remedy })
}

/**
 * The content of a JSON file.
 * @throws UserError `file-broken`, or of the id in `recovery`, if it is not JSON or not as `schema` says.
 */
export function readJson<S extends z.ZodType>(path: string, schema: S, recovery: Recovery): z.output<S> {
  return matching(path, readJsonText(path, recovery).json, schema, recovery)
}

/** The content of a JSON file, whatever it is, and its text. @throws as `readJson`. */
export function readJsonText(path: string, recovery: Recovery): { json: unknown; text: string } {
  const bytes = readBytes(path, recovery)
  if (isDeep(bytes)) throw brokenFile(path, `more than ${maxDepth} levels of nesting`, recovery, 'JSON')
  const text = bytes.toString('utf8')
  try {
    return { json: JSON.parse(text), text }
  } catch (error) {
    const [, position] = /at position (\d+)/.exec(messageOf(error)) ?? []
    const isCut = /end of JSON input|Unterminated string/.test(messageOf(error)) || Number(position) >= text.length
    const what = isCut ? 'the file is cut short' : messageOf(error).split('\n')[0]
    throw brokenFile(path, what, recovery, 'JSON')
  }
}

/** The mapping in a YAML file. @throws UserError `file-broken`, or of the id in `recovery`. */
export function readYaml(path: string, recovery: Recovery): Record<string, unknown> {
  const bytes = readBytes(path, recovery)
  if (bytes.length > maxYamlBytes) throw brokenFile(path, `${bytes.length} bytes`, recovery, `at most ${maxYamlBytes}`)
  const text = bytes.toString('utf8')
  // The parser of YAML takes the process with it when it meets too many.
  if (isTooDeep(text)) {
    throw brokenFile(path, `more than ${maxDepth} levels of nesting`, recovery, 'YAML')
  }
  let content: unknown
  try {
    content = parse(text, { logLevel: 'error', prettyErrors: false })
  } catch (error) {
    throw brokenFile(path, messageOf(error).split('\n')[0], recovery, 'YAML')
  }
  if (isObject(content)) return content
  throw brokenFile(path, `${kindOf(content)} instead of a mapping`, recovery)
}

/** `content` of the file at `path`, checked. @throws as `readJson`. */
export function matching<S extends z.ZodType>(
  path: string,
  content: unknown,
  schema: S,
  recovery: Recovery,
): z.output<S> {
  const found = schema.safeParse(content)
  if (found.success) return found.data
  const [{ path: keys, message }] = found.error.issues
  const at = keys.length > 0 ? `${keys.join('.')}: ${valueAt(content, keys)}` : `${kindOf(content)}: `
  throw brokenFile(path, at + message, recovery)
}

/** The value of a key in the content of a file, as the beginning of a message; empty for lists, objects and none. */
export function valueAt(content: unknown, keys: readonly PropertyKey[]): string {
  const value = keys.reduce<unknown>((of, key) => (of as Record<PropertyKey, unknown> | undefined)?.[key], content)
  return ['string', 'number', 'boolean'].includes(typeof value) ? `${JSON.stringify(value)}: ` : ''
}

/**
 * The bytes of a text file. Reading a pipe would never end.
 * @throws UserError as `readJson` for what is no file, or a file without text.
 */
function readBytes(path: string, recovery: Recovery): Buffer {
  requireFile(path, recovery)
  const bytes = readFileSync(path)
  if (bytes.length === 0) throw brokenFile(path, 'the file is empty', recovery)
  if (bytes.equals(Buffer.alloc(bytes.length))) {
    throw brokenFile(path, `${bytes.length} bytes of zeros, as a power cut leaves them`, recovery)
  }
  if (!isUtf8(bytes)) throw brokenFile(path, 'not UTF-8 text', recovery)
  return bytes
}

/** @throws UserError as `readJson` for a folder, a pipe or a device, and for a file too large to be ours. */
export function requireFile(path: string, recovery: Recovery, most = maxBytes): void {
  const found = statSync(path)
  if (!found.isFile()) {
    throw brokenFile(path, found.isDirectory() ? 'a folder, not a file' : 'a pipe or a device, not a file', recovery)
  }
  if (found.size > most) throw brokenFile(path, `${found.size} bytes`, recovery, `at most ${most}`)
}

/** Whether lists and mappings of a text in YAML are nested more deeply than anyone writes them. */
export const isTooDeep = (text: string) => isDeep(Buffer.from(text)) || deepBlocks.test(text)

/** Whether lists and objects of a JSON text are nested too deeply. */
function isDeep(bytes: Buffer): boolean {
  let [depth, isText] = [0, false]
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (isText) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) isText = false
    } else if (byte === 0x22) isText = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > maxDepth) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const kindOf = (value: unknown) =>
  value === null || value === undefined
    ? 'null'
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object'
        ? 'an object'
        : `a ${typeof value}`
