/** Pictures that cannot be used: reports them and refuses too many. */
import { rmSync } from 'node:fs'
import { UserError } from '../../base/errors.js'
import { replaceFile } from '../../base/files.js'
import { type Database, transposed } from '../tables/duckdb.js'

export interface Rejected {
  index: number
  /** Path as in the table; null for a picture within the table. */
  path: string | null
  /** The kind of failure, a colon and details. */
  reason: string
}

/** @throws UserError `pictures-bad` where more than the share `maxBad` of all `count` pictures was rejected. */
export function refuseBroken(
  rejected: readonly Rejected[],
  { count, folder }: { count: number; folder: string },
  maxBad: number,
): void {
  if (rejected.length <= maxBad * count) return
  const [{ index, reason }] = rejected
  throw new UserError({
    id: 'pictures-bad',
    where: folder,
    what: `${rejected.length} of ${count} pictures are broken (${kindsOf(rejected)}), first number ${index + 1}: ${reason}`,
    expected: `at most ${100 * maxBad} %`,
    remedy: 'repair them or raise data.maxBadImages',
  })
}

/** The number of each kind, the most frequent first, e.g. "3 missing, 1 empty". */
export function kindsOf(rejected: readonly Rejected[]): string {
  const counts = new Map<string, number>()
  for (const { reason } of rejected) {
    const [kind] = reason.split(':')
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  return sorted.map(([kind, count]) => `${count} ${kind}`).join(', ')
}

/**
 * Writes `item_id`, `path` and `reason` of each rejected picture to the Parquet file `file`; without any it deletes the
 * file. `numbers` is the DuckDB table of item ids and item numbers.
 */
export async function writeRejected(db: Database, numbers: string, rejected: readonly Rejected[], file: string) {
  const rows = rejected.map(({ index, path, reason }) => [String(index), path, reason] as const)
  const numbered = `(SELECT CAST(key AS INTEGER) AS item, path, reason FROM ${table})`
  await writeRows(db, rows, `SELECT item_id, path, reason FROM ${numbered} JOIN ${numbers} USING (item)`, file)
}

/** The same for pictures with the ids of their items, of the DuckDB type `idType`. */
export async function writeRejectedIds(
  db: Database,
  idType: string,
  rejected: readonly { id: bigint | string; path: string | null; reason: string }[],
  file: string,
) {
  const rows = rejected.map(({ id, path, reason }) => [String(id), path, reason] as const)
  await writeRows(db, rows, `SELECT CAST(key AS ${idType}) AS item_id, path, reason FROM ${table}`, file)
}

const table = 'rejected_pictures'

async function writeRows(
  db: Database,
  rows: readonly (readonly [key: string, path: string | null, reason: string])[],
  query: string,
  file: string,
): Promise<void> {
  rmSync(file, { force: true })
  if (rows.length === 0) return
  await db.run(`CREATE OR REPLACE TEMP TABLE ${table} (key VARCHAR, path VARCHAR, reason VARCHAR)`)
  await db.insert(table, transposed(rows, 3))
  await replaceFile(file, (temporary) => db.writeParquet(`${query} ORDER BY item_id`, temporary))
}
