/** Paths of tables on the command line. */
import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { UserError } from '../base/errors.js'
import { findTable } from '../data/tables/contract.js'

/** Where relative paths may start. */
interface Roots {
  /** The value of --data, if it was given. */
  data?: string
  /** data.root of the run: only named in the error, if the table is there. */
  run?: string
}

/**
 * The full path of a table that `option` names. A relative path starts from the working folder or, if there is no such
 * table, from --data if it is given. `./` and `../` always mean the working folder.
 * @throws UserError `path-ambiguous` if both have the table, `table-missing` if neither has.
 */
export function tablePath(option: string, path: string, { data, run }: Roots): string {
  if (isAbsolute(path) || /^\w+:\/\//.test(path)) return path
  const here = found('.', path)
  const there = data === undefined || /^\.\.?\//.test(path) ? undefined : found(data, path)
  if (here && there && here !== there) {
    const what = `${path} is in the working folder and in --data ${data}`
    const remedy = `give ./${path} for the one in the working folder, or the full path`
    throw new UserError({ id: 'path-ambiguous', where: option, what, remedy })
  }
  const table = here ?? there
  if (table) return table
  const ofRun = run === undefined ? undefined : found(run, path)
  const places = data === undefined ? 'the working folder' : `the working folder and --data ${data}`
  const [what, remedy] = [
    `${path} is not in ${places}`,
    ofRun ? `did you mean ${ofRun}, in data.root of the run?` : 'check the path',
  ]
  throw new UserError({ id: 'table-missing', where: option, what, remedy })
}

/** The full path of a table below `root`, if it exists; of a pattern, if the folder exists that it starts from. */
function found(root: string, path: string): string | undefined {
  const table = findTable(resolve(root), path)
  const [fixed] = table.split(/(?<=\/)[^/]*[*?[]/)
  return existsSync(table) || (fixed !== table && existsSync(fixed)) ? table : undefined
}
