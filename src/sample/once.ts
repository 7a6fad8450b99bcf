/** What all generators of data sets share: reuse of an existing data set, and progress. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { newFolder, writeJson } from '../base/files.js'
import { readJson } from '../base/ownFile.js'
import { Lock } from '../base/processes/lock.js'

/** Called with the progress of a stage, in units of that stage. An exception stops the work. */
export type Progress = (stage: string, done: number, total: number) => void

export interface Outcome<S> {
  summary: S
  /** False if the folder already contained this data set. */
  isNew: boolean
}

/**
 * Calls `fill` to write a data set to the new folder `out`, and stores `parameters` and its summary in the file `record`.
 * If `out` contains a record of the same parameters, returns its summary and writes nothing.
 * @throws UserError `out-exists` if `out` contains anything else, `folder-locked` if another process writes it.
 */
export async function makeOnce<P, S extends object>(
  out: string,
  record: string,
  parameters: P,
  fill: (folder: string) => Promise<S>,
): Promise<Outcome<{ parameters: P } & S>> {
  const existing = readRecord<{ parameters: P } & S>(join(out, record))
  if (existing && isDeepStrictEqual(existing.parameters, parameters)) return { summary: existing, isNew: false }
  using _lock = Lock.path(out)
  return await newFolder(out, async (folder) => {
    const summary = { parameters, ...(await fill(folder)) }
    await writeJson(join(folder, record), summary)
    return { summary, isNew: true }
  })
}

function readRecord<T>(path: string): T | undefined {
  try {
    return readJson(path, z.looseObject({ parameters: z.unknown() }), { remedy: '' }) as T
  } catch {
    // No record of ours; `newFolder` checks whether the folder is free.
    return undefined
  }
}

/** A short hash of the value. */
export function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
