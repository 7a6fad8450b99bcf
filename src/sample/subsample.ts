/** A consistent part of a data set: some users with all they did, and the items that this touches. */
import { existsSync } from 'node:fs'
import { copyFile, mkdir, rm } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { Database, identifier, literal } from '../data/duckdb.js'
import { UserError } from '../errors.js'
import { inNewFolder } from './folder.js'
import { inParallel } from './parallel.js'

export interface SubsampleOptions {
  /** Folder with items, and behaviors or impressions or both: each `x.parquet`, or a folder `x` of parts. */
  from: string
  /** Number of users; all where there are fewer. */
  users: number
  /** Folder to make. */
  out: string
  seed: number
  /** Share of the items that the users did not touch, kept as well (default 0.1). */
  otherItems?: number
}

/** Rows written per table, and picture files copied or not found. */
export interface SubsampleSummary {
  users: number
  items: number
  behaviors: number
  impressions: number
  pictures: number
  missingPictures: number
}

type TableName = 'items' | 'behaviors' | 'impressions'

interface Table {
  name: TableName
  /** SQL that reads it. */
  scan: string
  /** Type by column. */
  columns: Map<string, string>
  /** Folders that its picture paths may be relative to, likeliest first. */
  folders: string[]
}

/**
 * Draws users by seed and writes their behaviours and impressions whole, with the items these name (targets and
 * `hist_items`) and a share of the others. All columns keep their types. Pictures that are relative paths are copied.
 * UserErrors: `out-exists`, `sample-users`, `sample-share`, `table-missing`, `column-missing`.
 */
export async function subsample(options: SubsampleOptions): Promise<SubsampleSummary> {
  const { from, users, out, seed, otherItems = 0.1 } = options
  if (!Number.isSafeInteger(users) || users < 1)
    throw new UserError({ id: 'sample-users', what: `${users} users`, expected: 'a whole number from 1' })
  if (!(otherItems >= 0 && otherItems <= 1))
    throw new UserError({ id: 'sample-share', what: `share of other items ${otherItems}`, expected: '0 to 1' })

  return inNewFolder(out, async (folder) => {
    const spill = join(folder, '.spill')
    const db = await Database.open({ temporary: spill })
    try {
      const { items, logs } = await openTables(db, from)
      await chooseUsers(db, logs, users, seed)
      await chooseItems(db, items, logs, otherItems, seed)

      const rows = { items: 0, behaviors: 0, impressions: 0 }
      const copied = { pictures: 0, missingPictures: 0 }
      for (const table of [items, ...logs]) {
        const [key, chosen] = table === items ? ['item_id', 'chosen_items'] : ['user_id', 'chosen_users']
        const kept = `FROM ${table.scan} AS t WHERE CAST(t.${key} AS VARCHAR) IN (SELECT id FROM ${chosen})`
        rows[table.name] = await writeTable(db, table, kept, folder)
        await copyPictures(db, table, kept, folder, copied)
      }
      return { users: await countOf(db, 'chosen_users'), ...rows, ...copied }
    } finally {
      db.close()
      await rm(spill, { recursive: true, force: true })
    }
  })
}

async function openTables(db: Database, from: string): Promise<{ items: Table; logs: Table[] }> {
  const items = await openTable(db, from, 'items', ['item_id'])
  const behaviors = await openTable(db, from, 'behaviors', ['user_id', 'item_id'])
  const impressions = await openTable(db, from, 'impressions', ['user_id', 'item_id'])
  const logs = [behaviors, impressions].filter((table) => table !== undefined)
  if (items && logs.length > 0) return { items, logs }
  throw new UserError({
    id: 'table-missing',
    what: items ? 'neither behaviors nor impressions' : 'no items',
    where: from,
    expected: `${items ? 'behaviors.parquet, impressions.parquet' : 'items.parquet'} or a folder of parts of that name`,
  })
}

async function openTable(db: Database, from: string, name: TableName, needed: string[]): Promise<Table | undefined> {
  const file = join(from, `${name}.parquet`)
  const parts = join(from, name)
  const isFile = existsSync(file)
  if (!isFile && !existsSync(parts)) return undefined
  const scan = isFile
    ? `read_parquet(${literal(file)})`
    : `read_parquet(${literal(join(parts, '**', '*.parquet'))}, union_by_name = true)`
  const described = await db.rows<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${scan}`)
  const columns = new Map(described.map(({ column_name, column_type }) => [column_name, column_type]))
  for (const column of needed) {
    if (columns.has(column)) continue
    throw new UserError({ id: 'column-missing', what: `no column ${column}`, where: isFile ? file : parts })
  }
  return { name, scan, columns, folders: isFile ? [from] : [parts, from] }
}

/** Ids are compared as text: a table may hold as an integer what another holds as a string. */
async function chooseUsers(db: Database, logs: Table[], count: number, seed: number): Promise<void> {
  const all = logs.map(({ scan }) => `SELECT CAST(user_id AS VARCHAR) AS id FROM ${scan}`).join(' UNION ALL ')
  await db.run(
    `CREATE TABLE chosen_users AS SELECT DISTINCT id FROM (${all}) WHERE id IS NOT NULL ` +
      `ORDER BY ${drawing(seed, 'user')}, id LIMIT ${count}`,
  )
}

async function chooseItems(db: Database, items: Table, logs: Table[], share: number, seed: number): Promise<void> {
  const named = logs.flatMap(({ scan, columns }) => {
    const rows = `FROM ${scan} WHERE CAST(user_id AS VARCHAR) IN (SELECT id FROM chosen_users)`
    const lists = columns.get('hist_items')?.endsWith(']') ? [`SELECT unnest(hist_items) AS id ${rows}`] : []
    return [`SELECT item_id AS id ${rows}`, ...lists]
  })
  const asText = named.map((select) => `SELECT CAST(id AS VARCHAR) AS id FROM (${select})`).join(' UNION ALL ')
  await db.run(`CREATE TABLE chosen_items AS SELECT DISTINCT id FROM (${asText}) WHERE id IS NOT NULL`)
  await db.run(
    `CREATE TABLE other_items AS SELECT DISTINCT CAST(item_id AS VARCHAR) AS id FROM ${items.scan} ` +
      'WHERE id NOT IN (SELECT id FROM chosen_items)',
  )
  const others = Math.round(share * (await countOf(db, 'other_items')))
  await db.run(
    `INSERT INTO chosen_items SELECT id FROM other_items ORDER BY ${drawing(seed, 'item')}, id LIMIT ${others}`,
  )
}

/** A random order that is the same on every machine and in every version of the database. */
function drawing(seed: number, what: string): string {
  return `md5(concat('${seed}/${what}/', id))`
}

/** Writes the kept rows in their old order; gives their number. */
async function writeTable(db: Database, table: Table, kept: string, folder: string): Promise<number> {
  const path = literal(join(folder, `${table.name}.parquet`))
  const moved = pictureColumns(table).map((column) => `${inside(column)} AS ${identifier(column)}`)
  const columns = moved.length > 0 ? `t.* REPLACE (${moved.join(', ')})` : 't.*'
  await db.run(
    `COPY (SELECT ${columns} ${kept} ORDER BY t.file_index, t.file_row_number) TO ${path} ` +
      '(FORMAT parquet, COMPRESSION zstd)',
  )
  return countOf(db, `read_parquet(${path})`)
}

/** Columns that may hold paths of pictures. */
function pictureColumns({ columns }: Table): string[] {
  return ['image', 'query_image'].filter((column) => columns.get(column) === 'VARCHAR')
}

/** Paths that lead out of the table's folder come to lie in `outside/`, for nothing may be written beside `out`. */
function inside(column: string): string {
  return `regexp_replace(t.${identifier(column)}, '^(\\./)*(\\.\\./)+', 'outside/')`
}

async function copyPictures(
  db: Database,
  table: Table,
  kept: string,
  folder: string,
  copied: Pick<SubsampleSummary, 'pictures' | 'missingPictures'>,
): Promise<void> {
  for (const column of pictureColumns(table)) {
    const paths = `SELECT DISTINCT t.${identifier(column)} AS old, ${inside(column)} AS new ${kept} AND old IS NOT NULL`
    for await (const batch of db.batches(paths, { old: 'string', new: 'string' })) {
      await inParallel(batch.old, async (old, i) => {
        if (old === null || isAbsolute(old) || /^[a-z0-9]+:\/\//i.test(old)) return
        const source = table.folders.map((base) => join(base, old)).find((path) => existsSync(path))
        const target = resolve(folder, batch.new[i] ?? '')
        if (!source || relative(folder, target).startsWith('..')) copied.missingPictures++
        else {
          await mkdir(dirname(target), { recursive: true })
          await copyFile(source, target)
          copied.pictures++
        }
      })
    }
  }
}

async function countOf(db: Database, table: string): Promise<number> {
  const { n } = await db.row<{ n: bigint }>(`SELECT count(*) AS n FROM ${table}`)
  return Number(n)
}
