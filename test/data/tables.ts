/** Small tables written by hand, as Parquet files. */
import { join } from 'node:path'
import { BehaviorLog, type LogOptions } from '../../src/data/choices/log.js'
import { buildPositives, type PositiveOptions, type Positives } from '../../src/data/choices/positives.js'
import { positiveSources, type SourceOptions } from '../../src/data/choices/sources/index.js'
import type { ContentVectors, SourceOption } from '../../src/data/choices/sources/source.js'
import { DataFacts } from '../../src/data/facts.js'
import type { Items } from '../../src/data/items/items.js'
import { type Database, literal } from '../../src/data/tables/duckdb.js'
import { openDatabase, temporaryFolder } from '../sample/folders.js'

export interface Tables {
  db: Database
  folder: string
  /** Writes the rows of an SQL query to `name`.parquet in the folder; gives its path. */
  write(name: string, query: string): Promise<string>
  /** As `write`, for rows given as SQL tuples, e.g. "('u', 1)". */
  rows(name: string, columns: string, ...tuples: string[]): Promise<string>
}

export async function openTables(): Promise<Tables> {
  const [db, folder] = [await openDatabase(), await temporaryFolder()]
  const write = async (name: string, query: string) => {
    const path = join(folder, `${name}.parquet`)
    await db.run(`COPY (${query}) TO ${literal(path)} (FORMAT parquet)`)
    return path
  }
  const rows = (name: string, columns: string, ...tuples: string[]) =>
    write(name, `SELECT * FROM (VALUES ${tuples.join(', ')}) AS t(${columns})`)
  return { db, folder, write, rows }
}

/** The customary names of the columns of a log of behaviors. */
export const behaviorColumns = {
  user: 'user_id',
  item: 'item_id',
  action: 'action',
  time: 'ts',
  request: 'request_id',
  queryText: 'query_text',
  queryImage: 'query_image',
}

/** Defaults of the options of all positive sources. */
export const sourceDefaults = Object.fromEntries(
  positiveSources.flatMap(({ options }) =>
    Object.entries<SourceOption>(options).map(([name, option]) => [name, option.default]),
  ),
) as SourceOptions

/** Positives of queries and sessions in such a log, all of which weigh alike. */
export const plainPositives = {
  ...sourceDefaults,
  columns: behaviorColumns,
  timeUnit: 's',
  timeZone: null,
  sources: ['query-click', 'session'],
  purchaseWeight: 1,
  clickWeight: 1,
  exposureWeight: 1,
  lookBack: 1,
} as const satisfies Partial<LogOptions & PositiveOptions>

/** Opens the log and builds its positives. */
export async function positivesOf(
  db: Database,
  items: Items,
  options: LogOptions & PositiveOptions,
  content?: ContentVectors,
  facts = new DataFacts(),
): Promise<{ log: BehaviorLog; positives: Positives }> {
  const log = await BehaviorLog.open(db, items, options, facts)
  return { log, positives: await buildPositives(log, options, async () => content!) }
}
