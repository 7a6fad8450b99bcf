/** Small Parquet tables from rows of named values. */
import { replaceFile } from '../../base/files.js'
import { Database, literal } from './duckdb.js'

/** Writes `rows`, which all have the columns of the first; texts as VARCHAR, numbers as DOUBLE. */
export async function writeRows(
  path: string,
  rows: readonly Readonly<Record<string, string | number | null>>[],
): Promise<void> {
  const kinds = Object.entries(rows[0]).map(([name, value]) => [name, typeof value === 'string' ? 'VARCHAR' : 'DOUBLE'])
  const list = [literal(JSON.stringify(rows)), literal(JSON.stringify([Object.fromEntries(kinds)]))]
  const db = await Database.open()
  try {
    await replaceFile(path, (temporary) =>
      db.writeParquet(`SELECT unnest(from_json(${list.join(', ')}), recursive := true)`, temporary),
    )
  } finally {
    db.close()
  }
}
