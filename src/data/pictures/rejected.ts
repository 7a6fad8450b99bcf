/** Pictures that cannot be used: reports them and refuses too many. */
import { rmSync } from 'node:fs'
import { UserError } from '../../base/errors.js'
import { replaceFile } from '../../base/files.js'
import { Resources } from '../../base/resources.js'
import type { Warning } from '../../base/warning.js'
import { Database, fileLiteral, transposed } from '../tables/duckdb.js'
import { addressKind } from './uri.js'

/** Name of the list of broken pictures in a run folder. */
export const rejectedFile = 'rejected.parquet'

export interface Rejected {
  index: number
  /** Path as in the table; null for a picture within the table. */
  path: string | null
  /** The kind of failure, a colon and details. */
  reason: string
}

/** The pictures that a share refers to, where they come from, and the file that lists the broken ones. */
export interface Judged {
  pictures: number
  where: string
  /** undefined: there is none. */
  list: string | undefined
}

/**
 * @throws UserError `pictures-bad` where more than the share `maxBad` of all pictures was rejected; `picture-urls` where
 * most of these are addresses.
 */
export function refuseBroken(rejected: readonly Rejected[], judged: Judged, maxBad: number): void {
  if (rejected.length <= maxBad * judged.pictures) return
  const [{ index, reason }] = rejected
  const counts = countKinds(rejected)
  throw tooManyBroken({ counts, first: `number ${index + 1}: ${reason}` }, judged, maxBad)
}

/** Broken pictures by kind, and the first of them in words. */
export interface Broken {
  counts: KindCounts
  first: string
}

export function tooManyBroken({ counts, first }: Broken, { pictures, where, list }: Judged, maxBad: number): UserError {
  const broken = sumOf(counts)
  const urls = counts.get(addressKind) ?? 0
  const expected = `at most ${100 * maxBad} %`
  if (2 * urls > broken) {
    const what = `${urls} of ${pictures} pictures are URLs, which mim does not fetch; first ${first}`
    const remedy = 'download them, and put the bytes or the paths of the files into the table'
    return new UserError({ id: 'picture-urls', where, what, expected: `${expected} broken`, remedy })
  }
  return new UserError({
    id: 'pictures-bad',
    where,
    what: `${broken} of ${pictures} pictures are broken (${kindsText(counts)}), first ${first}`,
    expected,
    remedy: `repair them${list ? ` (${list} lists them)` : ''} or raise data.maxBadImages`,
  })
}

/** Number of broken pictures by kind: the part of the reason before the colon. */
export type KindCounts = ReadonlyMap<string, number>

export function countKinds(rejected: Iterable<{ reason: string }>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { reason } of rejected) {
    const [kind] = reason.split(':')
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

export const sumOf = (counts: KindCounts) => [...counts.values()].reduce((a, b) => a + b, 0)

/** The most frequent first, e.g. "3 missing, 1 empty". */
function kindsText(counts: KindCounts): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  return sorted.map(([kind, count]) => `${count} ${kind}`).join(', ')
}

/** The warning about broken pictures that are few enough; undefined without any. `of` names them, e.g. "pictures". */
export function brokenWarning(counts: KindCounts, { pictures, where, list }: Judged, of = 'pictures') {
  const broken = sumOf(counts)
  if (broken === 0) return undefined
  const share = `${((100 * broken) / pictures).toFixed(1)} %`
  return {
    id: 'pictures-broken',
    where,
    what: `${broken} of ${pictures} ${of} (${share}) are broken and count as missing: ${kindsText(counts)}`,
    ...(list ? { remedy: `${list} lists them` } : {}),
  } satisfies Warning
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

/** The same for pictures of queries, which have no id: `path` and `reason`. */
export async function writeRejectedPaths(db: Database, rejected: readonly Rejected[], file: string) {
  const rows = rejected.map(({ path, reason }) => [null, path, reason] as const)
  await writeRows(db, rows, `SELECT path, reason FROM ${table}`, file)
}

const table = 'rejected_pictures'
const createTable = `CREATE OR REPLACE TEMP TABLE ${table} (key VARCHAR, path VARCHAR, reason VARCHAR)`

type Row = readonly [key: string | null, path: string | null, reason: string]

async function writeRows(db: Database, rows: readonly Row[], query: string, file: string): Promise<void> {
  if (rows.length === 0) return rmSync(file, { force: true })
  await db.run(createTable)
  await db.insert(table, transposed(rows, 3))
  await replaceFile(file, (temporary) => db.writeParquet(`${query} ORDER BY 1`, temporary))
}

/** Collects broken pictures with the ids of their items outside JavaScript's memory, because they may be many. */
export class RejectedList implements Disposable {
  /** All so far by kind; the first in words. */
  readonly counts = new Map<string, number>()
  first = ''
  private pending: Row[] = []

  private constructor(
    private readonly db: Database,
    private readonly idType: string,
  ) {}

  /** @param idType DuckDB type of the ids, which the list has again. */
  static async open(idType: string, temporary: string): Promise<RejectedList> {
    using opened = new Resources()
    const db = opened.use(await Database.open({ temporary, threads: 1 }))
    await db.run(createTable)
    opened.release()
    return new RejectedList(db, idType)
  }

  async add(rejected: readonly { id: bigint | string; path: string | null; reason: string }[]): Promise<void> {
    if (rejected.length === 0) return
    this.first ||= `of item ${rejected[0].id}: ${rejected[0].reason}`
    for (const [kind, count] of countKinds(rejected)) this.counts.set(kind, (this.counts.get(kind) ?? 0) + count)
    this.pending.push(...rejected.map(({ id, path, reason }): Row => [String(id), path, reason]))
    if (this.pending.length >= pendingRows) await this.flush()
  }

  get count(): number {
    return sumOf(this.counts)
  }

  private async flush(): Promise<void> {
    const rows = this.pending
    this.pending = []
    if (rows.length > 0) await this.db.insert(table, transposed(rows, 3))
  }

  /** Writes `item_id`, `path` and `reason` of each to the Parquet file `file`; without any it deletes the file. */
  async write(file: string): Promise<void> {
    await this.flush()
    if (this.count === 0) return rmSync(file, { force: true })
    const query = `SELECT CAST(key AS ${this.idType}) AS item_id, path, reason FROM ${table} ORDER BY 1`
    await replaceFile(file, (temporary) => this.db.writeParquet(query, temporary))
  }

  [Symbol.dispose](): void {
    this.db.close()
  }
}

const pendingRows = 2048

/** Writes the lists of several parts as one; without any it deletes `file`. Returns the number of pictures by kind. */
export async function mergeRejected(db: Database, lists: readonly string[], file: string): Promise<KindCounts> {
  if (lists.length === 0) {
    rmSync(file, { force: true })
    return new Map()
  }
  const source = `read_parquet([${lists.map(fileLiteral).join(', ')}])`
  await replaceFile(file, (temporary) => db.writeParquet(`SELECT * FROM ${source} ORDER BY item_id`, temporary))
  const kinds = `SELECT split_part(reason, ':', 1) AS kind, count(*) AS count FROM ${source} GROUP BY 1`
  const rows = await db.rows<{ kind: string; count: bigint }>(kinds)
  return new Map(rows.map(({ kind, count }) => [kind, Number(count)]))
}
