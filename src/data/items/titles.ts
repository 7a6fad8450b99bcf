/** The title of an item: a text column of the catalogue, or several, concatenated. */
import type { ColumnRule } from '../tables/contract.js'
import { identifier } from '../tables/duckdb.js'
import { usualItemColumns } from '../usualColumns.js'

/** One column, or several, which must exist. */
export type TitleColumns = string | readonly string[]

/** Letters of a title or query that are read: many times what a text tower reads; tokenizers are slow on long words. */
const mostLetters = 8192

export const titleNames = (title: TitleColumns): readonly string[] => (typeof title === 'string' ? [title] : title)

/** Rules for the columns. */
export function titleRules(title: TitleColumns): Record<string, ColumnRule> {
  const rule: ColumnRule = { type: 'title', optional: title === usualItemColumns.title }
  return Object.fromEntries(titleNames(title).map((name) => [name, rule]))
}

/**
 * SQL of the title of a row, null for none: trimmed, without NUL, at most `mostLetters` long. A title of spaces and
 * other invisible characters is none. The keys of `table` are the columns that exist; `t` is its name in SQL.
 */
export function titleSql(table: ReadonlyMap<string, string>, title: TitleColumns, t?: string): string {
  const there = titleNames(title).filter((name) => table.has(name))
  if (there.length === 0) return 'CAST(NULL AS VARCHAR)'
  const parts = there.map((name) => visible(t ? `${t}.${identifier(name)}` : identifier(name)))
  return `nullif(${trimmed(`left(concat_ws(' ', ${parts.join(', ')}), ${mostLetters})`)}, '')`
}

/** Spaces of all scripts, control characters, and characters of no width that texts begin or end with. */
const edge = '[\\s\\p{Z}\\p{Cc}\\x{AD}\\x{180E}\\x{200B}\\x{2060}\\x{FEFF}]'
/** The same, with all characters that show nothing on their own: joiners, marks of direction, fillers, selectors. */
const invisible = '\\s\\p{Z}\\p{Cc}\\p{Cf}\\x{34F}\\x{115F}\\x{1160}\\x{2800}\\x{3164}\\x{FE00}-\\x{FE0F}\\x{FFA0}'

/** SQL of a text without spaces at its ends, at most `mostLetters` long; null if it shows nothing. */
export const visible = (text: string) =>
  `CASE WHEN regexp_matches(${text}, '[^${invisible}]') THEN left(${trimmed(text)}, ${mostLetters}) END`

const trimmed = (text: string) => `regexp_replace(replace(${text}, chr(0), ' '), '^${edge}+|${edge}+$', '', 'g')`
