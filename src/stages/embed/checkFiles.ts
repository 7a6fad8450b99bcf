/** Checks the files of an embedding table: their checksums, the order of the ids, and the Parquet files. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { type Database, fileLiteral } from '../../data/tables/duckdb.js'
import { changedFiles, type EmbeddingTable, flags, parquetFolder } from '../../store/index.js'

export type Checksums = 'equal' | 'different' | 'none'

const allFlags = Object.values(flags).reduce((all, flag) => all | flag, 0)
/** Rows read at a time. */
const blockRows = 2 ** 16

export async function fileProblems(
  db: Database,
  table: EmbeddingTable,
): Promise<{ checksums: Checksums; problems: string[] }> {
  const { folder, manifest } = table
  const changed = manifest.files ? [...changedFiles(folder, manifest.files)] : []
  const problems = changed.map((what) => `${what}: copy the table again, or run mim embed again`)
  for (const check of [() => table.ids.check(), () => checkFlags(table), () => checkParquet(db, table)]) {
    try {
      await check()
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problems.push(error.message)
    }
  }
  const checksums = !manifest.files ? 'none' : changed.length > 0 ? 'different' : 'equal'
  return { checksums, problems }
}

function checkFlags({ rows, manifest, folder }: EmbeddingTable): void {
  for (let from = 0; from < manifest.rows; from += blockRows) {
    const present = rows.array('present').read(from, Math.min(blockRows, manifest.rows - from))
    const odd = present.findIndex((bits) => (bits & ~allFlags) !== 0)
    if (odd >= 0)
      throw broken(join(folder, 'present.npy'), `row ${from + odd + 1}: ${present[odd]}`, `at most ${allFlags}`)
  }
}

/** The parts must have the rows of the arrays, without a gap in their numbers. Parts of a shard have no Parquet files. */
async function checkParquet(db: Database, { folder, manifest }: EmbeddingTable): Promise<void> {
  const path = join(folder, parquetFolder)
  if (!existsSync(path)) return
  const names = readdirSync(path)
    .filter((name) => name.endsWith('.parquet'))
    .sort()
  const gap = names.findIndex((name, i) => name !== `part-${String(i).padStart(5, '0')}.parquet`)
  if (gap >= 0) throw broken(path, `part number ${gap} is missing: ${names[gap]} comes in its place`)
  let rows = 0
  for (const name of names) {
    const file = fileLiteral(join(path, name))
    const { count } = await db.row<{ count: bigint }>(`SELECT num_rows AS count FROM parquet_file_metadata(${file})`)
    rows += Number(count)
  }
  if (rows !== manifest.rows) throw broken(path, `${rows} rows`, `${manifest.rows}, as in the manifest`)
}

function broken(where: string, what: string, expected?: string): UserError {
  return new UserError({
    id: 'store-broken',
    where,
    what,
    expected,
    remedy: 'copy the table again, or run mim embed again',
  })
}
