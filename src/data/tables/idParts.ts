/** The files of a table must write its ids alike: DuckDB converts them to one type, by which ids no longer match. */
import { UserError } from '../../base/errors.js'
import { type Database, fileLiteral, identifier, literal } from './duckdb.js'
import { partSchemas } from './parts.js'
import type { TableSource } from './source.js'

/** The kind of the ids, or lists of ids, of a DuckDB type. All numbers are one kind: they stay exact together. */
function kindOf(type: string): string {
  const [, element, list] = /^(.*?)(\[\d*\])?$/.exec(type)!
  const kinds: [RegExp, string][] = [
    [/^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)|DOUBLE|FLOAT)$/, 'numbers'],
    [/^(VARCHAR|UUID)$/, 'text'],
    [/^BOOLEAN$/, 'booleans'],
  ]
  const kind = kinds.find(([types]) => types.test(element))?.[1] ?? element
  return list ? `lists of ${kind}` : kind
}

/**
 * Checks columns of ids by the footers of the files. Columns without a value in the files of a type may have any type.
 * @throws UserError `id-parts` with the file that has ids of another kind than the first
 */
export async function requireSameIdParts(db: Database, source: TableSource, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const parts = await partSchemas(db, source.files)
  for (const name of names) {
    const typed = parts.flatMap(({ files, typeOf }) => {
      const type = typeOf(name)
      return type === undefined ? [] : [{ files, kind: kindOf(type) }]
    })
    if (new Set(typed.map(({ kind }) => kind)).size > 1) await requireOneKind(db, name, typed)
  }
}

async function requireOneKind(db: Database, name: string, parts: { files: string[]; kind: string }[]): Promise<void> {
  let first: { file: string; kind: string } | undefined
  for (const { files, kind } of parts) {
    if (kind === first?.kind) continue
    const list = files.map(fileLiteral).join(', ')
    const column = identifier(name)
    const value = kind.startsWith('lists')
      ? `len(list_filter(${column}, lambda x: x IS NOT NULL)) > 0`
      : `${column} IS NOT NULL`
    const [found] = await db.rows<{ file: string }>(
      `SELECT "mim: file" AS file
       FROM read_parquet([${list}], hive_partitioning = false, filename = ${literal('mim: file')}) WHERE ${value} LIMIT 1`,
    )
    if (!found) continue
    if (first) {
      throw new UserError({
        id: 'id-parts',
        where: `${found.file}: column '${name}'`,
        what: `ids are ${kind} here but ${first.kind} in ${first.file}`,
        expected: 'the same type of ids in all files of a table',
        remedy: 'write the files again with one type',
      })
    }
    first = { file: found.file, kind }
  }
}
