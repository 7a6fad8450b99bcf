/** Turns DuckDB's errors about Parquet files and about memory into UserErrors. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { messageOf, UserError } from '../../base/errors.js'
import { placeError } from '../../base/places.js'
import { fileLiteral, identifier, patternPath } from './quoting.js'

/** @throws UserError `place-…` (base/places.ts), `memory-limit`, `table-missing`, `table-unreadable`, or the error of `query` itself. */
export async function reading<T>(connection: DuckDBConnection, sql: string, query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (error) {
    const place = /No files found/.test(messageOf(error)) ? undefined : placeError(error)
    throw place ?? (await userError(connection, sql, messageOf(error)).catch(() => undefined)) ?? error
  }
}

async function userError(connection: DuckDBConnection, sql: string, message: string): Promise<UserError | undefined> {
  const [, full] = /^Out of Memory Error: (.*)/.exec(message) ?? []
  if (full !== undefined) {
    const remedy = 'raise data.memory, or --memory'
    return new UserError({ id: 'memory-limit', what: `a table needs more memory than it may have: ${full}`, remedy })
  }
  const [, extension] =
    /^(?:Extension Autoloading|Missing Extension|IO|HTTP) Error: .*(?:extension|Extension) "?'?(\w+)/s.exec(message) ??
    []
  if (extension !== undefined && !/Parquet/.test(extension)) {
    const where = fileIn(message, sql)
    const what = `DuckDB's extension '${extension}' is needed and cannot be loaded`
    const remedy = 'install it where there is a network, or copy the table to a folder'
    return new UserError({ id: 'extension-missing', where, what, remedy })
  }
  const [, text] =
    /^(?:(?:IO|HTTP|Invalid|Invalid Input) Error: |Binder Error: (?=Hive|Failed to read))(.*)/.exec(message) ?? []
  const where = text && fileIn(text, sql)
  if (!text || !where) return undefined
  if (text.startsWith('No files found')) {
    const remedy = 'check the path and data.root'
    return new UserError({ id: 'table-missing', where, what: 'no such Parquet file', remedy })
  }
  const [, bad] = /value "(.*)" is not valid UTF8/.exec(text) ?? []
  if (bad !== undefined) {
    return new UserError({
      id: 'table-unreadable',
      where: `${where}${await placeOfText(connection, where)}`,
      what: `'${bad}' is not UTF-8`,
      expected: 'texts in UTF-8',
      remedy: 'decode the column, e.g. from Latin-1, when writing the file',
    })
  }
  const [what, expected] = [`cannot be read as Parquet: ${text}`, 'complete Parquet files']
  return new UserError({ id: 'table-unreadable', where, what, expected, remedy: 'write or copy the file again' })
}

/** The file that an error is about, by its text or by the query; undefined if the query reads none. */
function fileIn(text: string, sql: string): string | undefined {
  const lists = sql.matchAll(/(?:read_parquet|parquet_\w+)\((\[?'(?:[^']|'')*'(?:, '(?:[^']|'')*')*)/g)
  const files = [...lists].flatMap(([, list]) =>
    [...list.matchAll(/'((?:[^']|'')*)'/g)].map(([, path]) => patternPath(path.replaceAll("''", "'"))),
  )
  return files.find((file) => text.includes(file)) ?? files[0]
}

/** Column and row of the first text that is not UTF-8, as the end of a place; without the row where it is uncertain. */
async function placeOfText(connection: DuckDBConnection, file: string): Promise<string> {
  const source = `read_parquet(${fileLiteral(file)})`
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJS()
  const [[count]] = await rows(`SELECT CAST(count(*) AS DOUBLE) FROM ${source}`)
  const columns = await rows(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${source})`)
  // A column of this name would hide the numbers of the rows.
  const hasNumbers = !columns.some(([name]) => /^file_row_number$/i.test(String(name)))
  for (const [name, type] of columns) {
    if (type !== 'VARCHAR') continue
    /** Whether the rows `from` (inclusive) to `to` (exclusive) can be read. */
    const reads = (from: number, to: number) =>
      rows(`SELECT max(${identifier(String(name))}) FROM ${source}
        WHERE file_row_number >= ${from} AND file_row_number < ${to}`).then(
        () => true,
        () => false,
      )
    let [low, high] = [0, Number(count)]
    if (await reads(low, high)) continue
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (await reads(0, middle)) low = middle
      else high = middle
    }
    // Rows that share a dictionary are read together.
    const isCertain =
      hasNumbers && !(await reads(low, high)) && (high === Number(count) || (await reads(high, high + 1)))
    return `: column '${name}'${isCertain && Number(count) > 1 ? `, row ${high}` : ''}`
  }
  return ''
}
