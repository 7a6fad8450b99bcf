/**
 * Versions of an embedding table, one of them published: `table` is a link to `tables/N`, and `embeddings` one to the
 * Parquet files in it. A link is replaced atomically, so at any moment, even after `kill -9`, it points to a complete
 * table.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { moveTo, replaceLink } from '../base/files.js'
import { Lock } from '../base/processes/lock.js'
import { currentTable, parquetFolder } from './table.js'

const folderName = 'tables'

const numbers = (tables: string) =>
  (existsSync(tables) ? readdirSync(tables) : [])
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)

/**
 * Creates a table folder, lets `write` fill it and points `link`, the path of `embeddings`, to it. Keeps the newest
 * `keep` tables, this one included. A folder in place of a link becomes table 0: older versions of mim made one, and so
 * do copies that resolve links.
 * @throws UserError `folder-locked` if another process publishes here.
 */
export async function publishTable(
  link: string,
  keep: number,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  const tables = join(dirname(link), folderName)
  using _lock = Lock.folder(tables)
  for (const name of readdirSync(tables)) {
    if (name.endsWith('.part')) rmSync(join(tables, name), { recursive: true })
  }
  const number = (numbers(tables).at(-1) ?? 0) + 1
  const target = join(tables, String(number))
  mkdirSync(`${target}.part`)
  await write(`${target}.part`)
  moveTo(`${target}.part`, target)
  pointTo(link, number)
  for (const old of numbers(tables).slice(0, -keep)) rmSync(join(tables, String(old)), { recursive: true })
}

/** Restores the link if a process was killed after it wrote a table and before it made the link. */
export function recoverTable(link: string): void {
  const newest = numbers(join(dirname(link), folderName)).at(-1)
  if (newest !== undefined && !lstatSync(link, { throwIfNoEntry: false })) pointTo(link, newest)
}

function pointTo(link: string, number: number): void {
  const table = join(dirname(link), currentTable)
  pointLink(table, join(folderName, String(number)))
  // Stays the same from one table to the next.
  pointLink(link, join(currentTable, parquetFolder))
}

function pointLink(link: string, target: string): void {
  const found = lstatSync(link, { throwIfNoEntry: false })
  if (found?.isSymbolicLink() && readlinkSync(link) === target) return
  if (found && !found.isSymbolicLink()) {
    const aside = join(dirname(link), folderName, '0')
    rmSync(aside, { recursive: true, force: true })
    moveTo(link, aside)
  }
  replaceLink(link, target)
}
