/** The Parquet files of a table: a file, a glob, a folder with everything below it, or s3://…. */
import { type Dirent, existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { UserError } from '../../base/errors.js'
import { type Database, literal } from './duckdb.js'
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
 * files under such names. A name such as `_day=1` is a hive partition and is read.
 * @throws UserError `table-missing`
 */
export async function tableFiles(db: Database, path: string): Promise<string[]> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return filesBelow(path).map(literalPattern)
  if (found) return [literalPattern(path)]
  const wildcard = path.search(/[*?[]/)
  if (wildcard < 0) return [path]
  const files = (await db.rows<{ file: string }>(`SELECT file FROM glob(${literal(path)})`)).map(({ file }) => file)
  const fixed = path.slice(0, wildcard).lastIndexOf('/') + 1
  // A pattern that names hidden files means them.
  const asksForHidden = /\/[_.]/.test(path.slice(Math.max(0, fixed - 1)))
  const shown = files.filter((file) => asksForHidden || !file.slice(fixed).split('/').some(isHidden))
  if (shown.length === 0) throw missing(path, files.length > 0 ? 'only files that begin with _ or . match' : undefined)
  return shown.length === files.length ? [path] : shown.map(literalPattern)
}

const isHidden = (name: string) => /^[_.]/.test(name) && !name.includes('=')

/** All Parquet files below a folder, links followed, sorted. @throws UserError `table-missing` */
function filesBelow(folder: string): string[] {
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
  if (files.length > 0) return files.sort()
  const shown = others.slice(0, 3).map((path) => path.slice(folder.length).replace(/^\//, ''))
  throw missing(folder, others.length > 0 ? `the folder has other files, such as ${shown.join(', ')}` : undefined)
}

const isFolder = (entry: Dirent, path: string) =>
  entry.isDirectory() || (entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)

function missing(where: string, why?: string): UserError {
  const [what, remedy] = [`no such Parquet file${why ? `; ${why}` : ''}`, 'check the path and data.root']
  return new UserError({ id: 'table-missing', where, what, expected: why && 'files *.parquet', remedy })
}
