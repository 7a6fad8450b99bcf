/** The inputs of a run, and their fingerprints. */

import { join } from 'node:path'
import { expectedError } from '../../base/places.js'
import { folderOf } from '../items/items.js'
import { Database } from '../tables/duckdb.js'
import { realFile } from '../tables/parts.js'
import { printOfFiles, stampOf } from './files.js'
import { withSampleNow } from './pictures.js'
import type { FilesPrint, PicturesPrint, Prints } from './print.js'
import { printOfTable } from './table.js'

/** A table, or files that are read together, and the option that names them. */
export type RunInput = { option: string; path: string } & (
  | { kind: 'table' }
  /** Names of files in the folder `path`, of which about `limit` bytes are hashed; `version` as in the fingerprint. */
  | { kind: 'files'; names: readonly string[]; limit?: number; version?: string }
)

/** Why an input has no fingerprint now, by option: a table that cannot be read, e.g. because it is gone. */
export type Unread = Record<string, string>

/**
 * Fingerprints of `inputs`, and of the pictures among `earlier`. An input that was not written since its fingerprint in
 * `earlier` is not read again.
 */
export async function printsOf(
  inputs: readonly RunInput[],
  earlier: Prints,
): Promise<{ prints: Prints; unread: Unread }> {
  const prints: Prints = {}
  const unread: Unread = {}
  using db = await Database.open()
  for (const input of inputs) {
    const { option } = input
    const was = earlier[option]?.kind === 'files' ? earlier[option] : undefined
    try {
      prints[option] = await printOf(db, input, was)
    } catch (error) {
      const expected = expectedError(error)
      if (!expected) throw error
      unread[option] = expected.message
    }
  }
  for (const [name, print] of Object.entries(earlier)) {
    const table = print.kind === 'pictures' ? inputs.find(({ option }) => option === print.of) : undefined
    if (table) prints[name] = withSampleNow(print as PicturesPrint, folderOf(table.path))
  }
  return { prints, unread }
}

/** Fingerprints of this process: the runs of a study read the same inputs. */
const known = new Map<string, FilesPrint>()

async function printOf(db: Database, input: RunInput, was: FilesPrint | undefined): Promise<FilesPrint> {
  const key = JSON.stringify(input)
  const print =
    input.kind === 'table'
      ? await printOfTable(db, input.path, known.get(key) ?? was)
      : ofFiles(input, known.get(key) ?? was)
  known.set(key, print)
  return print
}

/** @throws UserError `table-unreadable` for what is no regular file: to read a pipe could wait forever */
function ofFiles(
  { path, names, limit, version }: RunInput & { kind: 'files' },
  earlier: FilesPrint | undefined,
): FilesPrint {
  const files = names.map((name) => ({ name, path: join(path, name) }))
  for (const file of files) realFile(file.path)
  const stamp = stampOf(files)
  if (stamp !== undefined && earlier?.stamp === stamp) return earlier
  return { ...printOfFiles(files, { limit }), ...(version && { version }), ...(stamp && { stamp }) }
}
