/** A consistent subsample of a data set: some users with all their rows, and the items in these rows. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { UserError } from '../base/errors.js'
import { folderOf } from '../data/items/items.js'
import { pictureIn, picturePath } from '../data/pictures/files.js'
import { isUri } from '../data/pictures/uri.js'
import { columnType, findTable, openTable, type Table } from '../data/tables/contract.js'
import { Database, fileLiteral, identifier } from '../data/tables/duckdb.js'
import { fileColumn, fileNumberColumn, fileRowColumn } from '../data/tables/source.js'
import { checkSeed } from './market/parameters.js'
import { digest, makeOnce, type Outcome, type Progress } from './once.js'
import { inParallel } from './parallel.js'

export interface SubsampleOptions {
  /** Folder with items, and behaviors or impressions or both: each `x.parquet`, or a folder `x` of parts. */
  from: string
  /** Number of users; all if there are fewer. */
  users: number
  /** Folder to make. */
  out: string
  seed: number
  /** Share of the other items that is kept too (default 0.1). */
  otherItems?: number
}

/** Content of `subsample.json`: rows written per table, and picture files copied or not found. */
export interface SubsampleSummary {
  /** What it was drawn from; `source` changes with the files of the tables. */
  parameters: { from: string; users: number; seed: number; otherItems: number; source: string }
  users: number
  items: number
  behaviors: number
  impressions: number
  pictures: number
  missingPictures: number
}

const names = ['items', 'behaviors', 'impressions'] as const

interface Source {
  name: (typeof names)[number]
  path: string
}

/**
 * Draws users by seed and writes all their behaviors and impressions, the items in them (targets and `hist_items`) and
 * a share of the other items, unless `out` contains the same subsample. All columns keep their types. Pictures given as
 * relative paths are copied.
 * @throws UserError `out-exists`, `sample-seed`, `sample-users`, `sample-share`, `table-missing`, `column-twice`, and those of
 * `openTable`.
 */
export async function subsample(options: SubsampleOptions, progress?: Progress): Promise<Outcome<SubsampleSummary>> {
  const { from, users, out, seed, otherItems = 0.1 } = options
  checkSeed(seed)
  if (!Number.isSafeInteger(users) || users < 1)
    throw new UserError({ id: 'sample-users', what: `${users} users`, expected: 'a whole number from 1' })
  // Not an empty text, which counts as 0 in comparisons.
  if (typeof otherItems !== 'number' || !(otherItems >= 0 && otherItems <= 1))
    throw new UserError({ id: 'sample-share', what: `share of other items '${otherItems}'`, expected: '0 to 1' })

  const sources = findTables(from)
  const parameters = { from, users, seed, otherItems, source: digest(sources.map(({ path }) => stampOf(path))) }
  return makeOnce(out, 'subsample.json', parameters, async (folder) => {
    using db = await Database.open({ temporary: join(folder, '.spill') })
    progress?.('tables', 0, sources.length)
    const [items, ...logs] = await openTables(db, sources)
    await chooseUsers(db, logs, users, seed)
    await chooseItems(db, items, logs, otherItems, seed)

    const rows = { items: 0, behaviors: 0, impressions: 0 }
    const copied = { pictures: 0, missingPictures: 0 }
    for (const [i, { name }] of sources.entries()) {
      const table = [items, ...logs][i]
      const [key, chosen] = name === 'items' ? ['item_id', 'chosen_items'] : ['user_id', 'chosen_users']
      const kept = `FROM ${table.placed} AS t WHERE CAST(t.${key} AS VARCHAR) IN (SELECT id FROM ${chosen})`
      rows[name] = await writeTable(db, table, kept, join(folder, `${name}.parquet`))
      await copyPictures(db, table, kept, { from, folder }, copied)
      progress?.('tables', i + 1, sources.length)
    }
    return { users: await db.count('chosen_users'), ...rows, ...copied }
  })
}

/** The tables in a folder, items first. */
function findTables(from: string): Source[] {
  const found = names
    .map((name) => ({ name, path: findTable(from, `${name}.parquet`) }))
    .filter(({ path }) => existsSync(path))
  const hasItems = found[0]?.name === 'items'
  if (hasItems && found.length > 1) return found
  throw new UserError({
    id: 'table-missing',
    what: hasItems ? 'neither behaviors nor impressions' : 'no items',
    where: from,
    expected: `${hasItems ? 'behaviors.parquet, impressions.parquet' : 'items.parquet'} or a folder of parts of that name`,
  })
}

/** Size and modification time of each file of a table. */
function stampOf(path: string): [file: string, bytes: number, changed: number][] {
  const folder = folderOf(path)
  const files = folder === path ? readdirSync(path, { recursive: true }).map(String).sort() : [relative(folder, path)]
  return files.map((file) => {
    const { size, mtimeMs } = statSync(join(folder, file))
    return [file, size, mtimeMs]
  })
}

async function openTables(db: Database, sources: Source[]): Promise<Table[]> {
  const opened: Table[] = []
  for (const { name, path } of sources) {
    const keys = name === 'items' ? ['item_id'] : ['user_id', 'item_id']
    const table = await openTable(db, path, Object.fromEntries(keys.map((key) => [key, { type: 'id' }])))
    // They would be written under other names.
    for (const column of table.repeated) columnType(table, column)
    opened.push(table)
  }
  return opened
}

/** Ids are compared as text because their types may differ between tables. */
async function chooseUsers(db: Database, logs: Table[], count: number, seed: number): Promise<void> {
  const all = logs.map(({ source }) => `SELECT CAST(user_id AS VARCHAR) AS id FROM ${source}`).join(' UNION ALL ')
  await db.run(
    `CREATE TABLE chosen_users AS SELECT DISTINCT id FROM (${all}) WHERE id IS NOT NULL ` +
      `ORDER BY ${drawing(seed, 'user')}, id LIMIT ${count}`,
  )
}

async function chooseItems(db: Database, items: Table, logs: Table[], share: number, seed: number): Promise<void> {
  const named = logs.flatMap(({ source, columns }) => {
    const rows = `FROM ${source} WHERE CAST(user_id AS VARCHAR) IN (SELECT id FROM chosen_users)`
    const lists = columns.get('hist_items')?.endsWith(']') ? [`SELECT unnest(hist_items) AS id ${rows}`] : []
    return [`SELECT item_id AS id ${rows}`, ...lists]
  })
  const asText = named.map((select) => `SELECT CAST(id AS VARCHAR) AS id FROM (${select})`).join(' UNION ALL ')
  await db.run(`CREATE TABLE chosen_items AS SELECT DISTINCT id FROM (${asText}) WHERE id IS NOT NULL`)
  await db.run(
    `CREATE TABLE other_items AS SELECT DISTINCT CAST(item_id AS VARCHAR) AS id FROM ${items.source} ` +
      'WHERE id NOT IN (SELECT id FROM chosen_items)',
  )
  const others = Math.round(share * (await db.count('other_items')))
  await db.run(
    `INSERT INTO chosen_items SELECT id FROM other_items ORDER BY ${drawing(seed, 'item')}, id LIMIT ${others}`,
  )
}

/** SQL: a random order that does not depend on the machine or the version of the database. */
function drawing(seed: number, what: string): string {
  return `md5(concat('${seed}/${what}/', id))`
}

/** Writes the kept rows in their original order; returns their number. */
async function writeTable(db: Database, table: Table, kept: string, path: string): Promise<number> {
  const moved = pictureColumns(table).map((column) => `${inside(column)} AS ${identifier(column)}`)
  const replaced = moved.length > 0 ? ` REPLACE (${moved.join(', ')})` : ''
  const columns = `t.* EXCLUDE (${fileColumn}, ${fileNumberColumn}, ${fileRowColumn})${replaced}`
  await db.writeParquet(`SELECT ${columns} ${kept} ORDER BY t.${fileNumberColumn}, t.${fileRowColumn}`, path)
  return db.count(`read_parquet(${fileLiteral(path)})`)
}

/** Columns that may hold paths of pictures. */
function pictureColumns({ columns }: Table): string[] {
  return ['image', 'query_image'].filter((column) => columns.get(column) === 'VARCHAR')
}

/** SQL: maps paths outside the table's folder into `outside/`, because nothing may be written outside `out`. */
function inside(column: string): string {
  return `regexp_replace(t.${identifier(column)}, '^(\\./)*(\\.\\./)+', 'outside/')`
}

async function copyPictures(
  db: Database,
  table: Table,
  kept: string,
  { from, folder }: { from: string; folder: string },
  copied: Pick<SubsampleSummary, 'pictures' | 'missingPictures'>,
): Promise<void> {
  // Picture paths are relative to the table's folder or, for a table of parts, to its parent.
  const bases = [folderOf(table.path), from]
  for (const column of pictureColumns(table)) {
    const paths = `SELECT DISTINCT t.${identifier(column)} AS old, ${inside(column)} AS new ${kept} AND old IS NOT NULL`
    for await (const batch of db.batches(paths, { old: 'string', new: 'string' })) {
      await inParallel(batch.old, async (old, i) => {
        if (old === null || pictureIn(null, old) === null || isUri(old) || isAbsolute(old)) return
        const source = bases.map((base) => fileAt(old, base)).find((path) => path !== undefined)
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

/** Path of a picture file; undefined if it cannot be read, e.g. because it is a folder. */
function fileAt(path: string, folder: string): string | undefined {
  try {
    return picturePath(path, { folder, allowOutside: true })
  } catch {
    return undefined
  }
}
