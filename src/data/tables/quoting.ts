/** Names, texts and paths as SQL. */

/** `path` as a pattern of DuckDB that matches this path alone. */
export const literalPattern = (path: string) => path.replace(/[*?[]/g, '[$&]')

/** The path that `literalPattern` was given. */
export const patternPath = (pattern: string) => pattern.replace(/\[([*?[])\]/g, '$1')

/** A column or table name as SQL, quoted. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text as SQL, quoted. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** The path of one file as SQL, for functions that take patterns too. */
export const fileLiteral = (path: string) => literal(literalPattern(path))
