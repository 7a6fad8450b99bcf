/** Walks schemas: the options inside an object, through defaults, lists, records and unions. */
import type { z } from 'zod'

interface Definition {
  type: string
  innerType?: z.ZodType
  in?: z.ZodType
  out?: z.ZodType
  element?: z.ZodType
  valueType?: z.ZodType
  options?: z.ZodType[]
  discriminator?: string
}

const definition = (schema: z.ZodType) => (schema as unknown as { def: Definition }).def

/** The options of an object schema; empty for other schemas. */
export function shapeOf(schema: z.ZodType | undefined): Record<string, z.ZodType> {
  return (schema as unknown as { shape?: Record<string, z.ZodType> } | undefined)?.shape ?? {}
}

/** The schema inside defaults, optionals and preparations. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType, in: first, out } = definition(schema)
  // A pipe is a transformation before or after the schema.
  const inner = innerType ?? (first && definition(first).type === 'transform' ? out : first)
  return inner ? unwrap(inner) : schema
}

/** The schema of the value at `path` of `values`; undefined where there is none. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[], values: unknown): z.ZodType | undefined {
  const at = alternative(unwrap(schema), values)
  const [key, ...rest] = path
  if (key === undefined) return at
  const { element, valueType } = definition(at)
  const inner = shapeOf(at)[key as string] ?? element ?? valueType
  return inner && schemaAt(inner, rest, (values as Record<PropertyKey, unknown> | undefined)?.[key])
}

/** The member of a union that `value` is of; other schemas as they are. */
function alternative(schema: z.ZodType, value: unknown): z.ZodType {
  const { options, discriminator } = definition(schema)
  if (!options) return schema
  const named = (value as Record<string, unknown> | undefined)?.[discriminator ?? '']
  const chosen = options.map(unwrap).find((option) => {
    const { values } = (shapeOf(option)[discriminator ?? ''] ?? {}) as unknown as { values?: Set<unknown> }
    return values?.has(named)
  })
  return chosen ?? options.map(unwrap).find((option) => Object.keys(shapeOf(option)).length > 0) ?? schema
}

/** Paths of all options, those of lists and records left out. */
export function optionPaths(schema: z.ZodType, prefix = ''): string[] {
  return Object.entries(shapeOf(unwrap(schema))).flatMap(([key, inner]) => {
    const below = optionPaths(inner, `${prefix}${key}.`)
    return below.length > 0 ? below : [`${prefix}${key}`]
  })
}
