/** Prints a schema as a YAML file that holds every option with its default and what it does. */
import { stringify } from 'yaml'
import { z } from 'zod'

interface JsonSchema {
  type?: string
  description?: string
  default?: unknown
  enum?: unknown[]
  properties?: Record<string, JsonSchema>
  anyOf?: JsonSchema[]
}

export function explain(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  return lines(json, '').join('\n')
}

function lines({ properties = {} }: JsonSchema, indent: string): string[] {
  return Object.entries(properties).flatMap(([key, option]) => {
    const choice = option.enum ? ` (${option.enum.join(' | ')})` : ''
    const comment = option.description ? [`${indent}# ${option.description}${choice}`] : []
    if (option.properties) return [...comment, `${indent}${key}:`, ...lines(option, `${indent}  `)]
    const value = option.default === undefined ? '' : stringify(option.default, { collectionStyle: 'flow' }).trim()
    return [...comment, `${indent}${key}: ${value}`.trimEnd()]
  })
}
