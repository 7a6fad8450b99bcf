/** Prints a configuration as a YAML file with a comment on every option. */
import { stringify } from 'yaml'
import { z } from 'zod'

interface JsonSchema {
  description?: string
  enum?: unknown[]
  const?: unknown
  default?: unknown
  maximum?: number
  properties?: Record<string, JsonSchema>
  items?: JsonSchema
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
}

type Tree = { [key: string]: unknown }

/** YAML text of `values`, a configuration loaded with `schema`; it loads to the same values again. */
export function explain(schema: z.ZodType, values: Tree): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  return `${lines(json, values, '').join('\n')}\n`
}

function lines({ properties = {} }: JsonSchema, values: Tree, indent: string): string[] {
  return Object.entries(properties).flatMap(([key, option]) => {
    const comment = option.description ? [`${indent}# ${meaning(option)}`] : []
    if (option.properties) return [...comment, `${indent}${key}:`, ...lines(option, values[key] as Tree, `${indent}  `)]
    return [...comment, ...entryLines(option, `${indent}# `), `${indent}${key}: ${onOneLine(values[key])}`]
  })
}

/** What the entries of a list may hold: the keys of each kind of entry, with their meaning. */
function entryLines({ items }: JsonSchema, indent: string): string[] {
  const kinds = items ? [items, ...(items.anyOf ?? items.oneOf ?? [])] : []
  return kinds.flatMap(({ properties }) => {
    if (!properties) return []
    return Object.entries(properties).map(([key, option], position) => {
      const name = option.const === undefined ? key : `${key}: ${option.const}`
      const fallback = option.default === undefined ? '' : ` [${onOneLine(option.default)}]`
      const about = `${meaning(option)}${fallback}`.trim()
      return `${indent}${position === 0 ? '- ' : '  '}${name}${about ? `: ${about}` : ''}`
    })
  })
}

/** What an option does, with the values that it may have where they are few, and its maximum where it has a large one. */
function meaning({ description = '', enum: values, maximum = 0, anyOf = [], items }: JsonSchema): string {
  if (values) return `${description} (${values.join(' | ')})`
  // Whole numbers have the maximum of those that are exact; that of a share is in its meaning.
  const most = Math.max(maximum, items?.maximum ?? 0, ...anyOf.map((one) => one.maximum ?? 0))
  return most > 1 && most < Number.MAX_SAFE_INTEGER ? `${description} (at most ${most})` : description
}

function onOneLine(value: unknown): string {
  const text = stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trimEnd()
  // JSON is YAML too and always fits on one line.
  return text.includes('\n') ? JSON.stringify(value) : text
}
