/** The Parquet files of a table: a file, a glob, a folder with everything below it, or s3://…. */
import { type Dirent, existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { DataFacts } from '../facts.js'
import { type Database, literal } from './duckdb.js'
import { distinctFiles, realFile } from './parts.js'
import { literalPattern } from './quoting.js'

/** A path from a configuration: relative ones start from `root`. */
function resolvePath(root: string, path: string): string {
  return isAbsolute(path) || /^\w+:\/\//.test(path) ? path : join(root, path)
}

/** Path of a table given as `x.parquet`: this file or, if there is none, the folder of parts `x`. */
export function findTable(root: string, path: string): string {
  const full = resolvePath(root, path)
  const folder = full.replace(/\.parquet$/, '')
  return !existsSync(full) && existsSync(folder) ? folder : full
}

/**
 * The files of the table `path` as arguments of DuckDB, in the order in which they are read: by path. Below a folder,
 * and where a glob matches, names that begin with `_` or `.` are left out: other programs leave unfinished and helper
 * files under such names. A name such as `_day=1` is a hive partition and is read. A file that several paths lead to
 * is read once.
 * @param facts gets notes on files that are not read
 * @throws UserError `table-missing`; `table-unreadable` for what is no regular file
 */
export async function tableFiles(db: Database, path: string, facts = new DataFacts()): Promise<string[]> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return distinctFiles(path, filesBelow(path, facts), facts).map(literalPattern)
  if (found) {
    realFile(path)
    warnFolderBeside(path, facts)
    return [literalPattern(path)]
  }
  const wildcard = path.search(/[*?[]/)
  if (wildcard < 0) return [path]
  const files = (await db.rows<{ file: string }>(`SELECT file FROM glob(${literal(path)})`)).map(({ file }) => file)
  const fixed = path.slice(0, wildcard).lastIndexOf('/') + 1
  // A pattern that names hidden files means them.
  const asksForHidden = /\/[_.]/.test(path.slice(Math.max(0, fixed - 1)))
  const shown = files.filter((file) => asksForHidden || !file.slice(fixed).split('/').some(isHidden))
  if (shown.length === 0) throw missing(path, files.length > 0 ? 'only files that begin with _ or . match' : undefined)
  return distinctFiles(path, shown, facts).map(literalPattern)
}

/** Warns if there is a folder of parts `x` next to the file `x.parquet`: either may be the newer one. */
function warnFolderBeside(path: string, facts: DataFacts): void {
  const folder = path.replace(/\.parquet$/, '')
  if (folder === path || !statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
  if (!readdirSync(folder).some((name) => !isHidden(name) && /\.parquet$|=/i.test(name))) return
  facts.warn({
    id: 'folder-ignored',
    where: path,
    what: `the folder ${folder} has Parquet files too; only the file is read`,
    remedy: 'delete or rename the one that is not meant',
  })
}

const isHidden = (name: string) => /^[_.]/.test(name) && !name.includes('=')

/** All Parquet files below a folder, links followed, sorted. @throws UserError `table-missing` */
function filesBelow(folder: string, facts: DataFacts): string[] {
  const files: string[] = []
  const others: string[] = []
  const visit = (at: string, above: readonly string[]): void => {
    const real = realpathSync(at)
    if (above.includes(real)) return
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (isHidden(entry.name)) continue
      const path = join(at, entry.name)
      if (isFolder(entry, path)) visit(path, [...above, real])
      else (/\.parquet$/i.test(entry.name) ? files : others).push(path)
    }
  }
  visit(folder, [])
  const named = others.filter((path) => !path.endsWith('.crc')).sort()
  const shown = named.slice(0, 3).map((path) => path.slice(folder.length).replace(/^\//, ''))
  if (files.length > 0 && named.length > 0) {
    const more = named.length > shown.length ? ', …' : ''
    facts.notes.push(
      `${folder}: ${named.length} ${named.length === 1 ? 'file is' : 'files are'} not read (only names that end in .parquet are): ${shown.join(', ')}${more}`,
    )
  }
  if (files.length > 0) return files.sort()
  throw missing(folder, named.length > 0 ? `the folder has other files, such as ${shown.join(', ')}` : undefined)
}

const isFolder = (entry: Dirent, path: string) =>
  entry.isDirectory() || (entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)

function missing(where: string, why?: string): UserError {
  const [what, remedy] = [`no such Parquet file${why ? `; ${why}` : ''}`, 'check the path and data.root']
  return new UserError({ id: 'table-missing', where, what, expected: why && 'files *.parquet', remedy })
}
