/** The title of an item: a text column of the catalogue, or several, concatenated. */
import type { ColumnRule } from '../tables/contract.js'
import { identifier } from '../tables/duckdb.js'

/** One column, which may be missing from the table, or several, which must exist. */
export type TitleColumns = string | readonly string[]

export const titleNames = (title: TitleColumns): readonly string[] => (typeof title === 'string' ? [title] : title)

/** Rules for the columns. */
export function titleRules(title: TitleColumns): Record<string, ColumnRule> {
  const rule: ColumnRule = { type: 'text', optional: typeof title === 'string' }
  return Object.fromEntries(titleNames(title).map((name) => [name, rule]))
}

/** SQL of the trimmed title of a row, null for none; the keys of `table` are the columns that exist. */
export function titleSql(table: ReadonlyMap<string, string>, title: TitleColumns): string {
  const there = titleNames(title).filter((name) => table.has(name))
  if (there.length === 0) return 'CAST(NULL AS VARCHAR)'
  return `nullif(trim(concat_ws(' ', ${there.map((name) => `nullif(trim(${identifier(name)}), '')`).join(', ')})), '')`
}
