/** Outputs stay apart from inputs: nothing that a command writes may replace, or be mixed with, what it reads. */
import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { UserError } from './errors.js'

/** A file or folder that a command reads, and the option that names it. */
export interface Input {
  option: string
  path: string
}

/**
 * Checks that the folder `out`, which `option` names, neither is nor contains an input. Links are followed.
 * @throws UserError `out-input`
 */
export function requireFolderApart(out: string, option: string, inputs: readonly Input[]): void {
  const folder = realPath(out)
  const input = inputs.find(({ path }) => isIn(realPath(path), folder))
  if (input) throw mixed(out, option, 'this folder is or contains an input', input)
}

/**
 * Checks that the file `out`, which `option` names, neither is an input nor lies in the folder of one. Links are
 * followed.
 * @throws UserError `out-input`
 */
export function requireFileApart(out: string, option: string, inputs: readonly Input[]): void {
  const file = realPath(out)
  const input = inputs.find(({ path }) => isIn(file, realPath(path)))
  if (input) throw mixed(out, option, 'this file is an input, or in the folder of one', input)
}

function mixed(out: string, option: string, problem: string, { option: of, path }: Input): UserError {
  const what = `${problem}: ${of} ${path}`
  return new UserError({ id: 'out-input', where: `${option} ${out}`, what, remedy: 'choose another place' })
}

const isIn = (path: string, folder: string) =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

/** The full path without links; of a path that does not exist, as far as it does. */
function realPath(path: string): string {
  const full = resolve(path)
  try {
    return realpathSync(full)
  } catch {
    // Whether it can be read is the reader's question.
    return dirname(full) === full ? full : join(realPath(dirname(full)), basename(full))
  }
}
