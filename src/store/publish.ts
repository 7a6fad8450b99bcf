/**
 * Tables of embeddings side by side, one of them published: `embeddings` is a link to `tables/N`. A link is
 * replaced in one step, so that at any moment, even after `kill -9`, the link leads to a whole table.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

const folderName = 'tables'

const numbers = (tables: string) =>
  (existsSync(tables) ? readdirSync(tables) : [])
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)

/**
 * Has `write` fill a new folder and makes `link` lead to it; `keep` tables stay, the newest included.
 * A folder in the place of the link becomes the first table.
 */
export async function publishTable(
  link: string,
  keep: number,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  const tables = join(dirname(link), folderName)
  mkdirSync(tables, { recursive: true })
  for (const name of readdirSync(tables)) {
    if (name.endsWith('.part')) rmSync(join(tables, name), { recursive: true })
  }
  const number = (numbers(tables).at(-1) ?? 0) + 1
  const target = join(tables, String(number))
  mkdirSync(`${target}.part`)
  await write(`${target}.part`)
  renameSync(`${target}.part`, target)
  const found = lstatSync(link, { throwIfNoEntry: false })
  if (found && !found.isSymbolicLink()) renameSync(link, join(tables, '0'))
  lead(link, number)
  for (const old of numbers(tables).slice(0, -keep)) rmSync(join(tables, String(old)), { recursive: true })
}

/** Where a process was killed between table and link, the link is made good. */
export function recoverTable(link: string): void {
  const newest = numbers(join(dirname(link), folderName)).at(-1)
  if (newest !== undefined && !lstatSync(link, { throwIfNoEntry: false })) lead(link, newest)
}

function lead(link: string, number: number): void {
  const temporary = `${link}.part`
  rmSync(temporary, { force: true })
  symlinkSync(join(folderName, String(number)), temporary)
  renameSync(temporary, link)
}
