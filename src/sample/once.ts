/** What all ways to make a data set share: it is made once, and tells how far it is. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { newFolder, writeJson } from '../base/files.js'

/** Called as the work proceeds, in pieces of whatever the stage counts. What it throws stops the work. */
export type Progress = (stage: string, done: number, total: number) => void

export interface Outcome<S> {
  summary: S
  /** False where the folder held the very data set before. */
  isNew: boolean
}

/**
 * Has `fill` write a data set into the new folder `out`, with `parameters` and its summary in the file `record`.
 * Where `out` holds a record of the same parameters, gives its summary and does nothing.
 * @throws UserError `out-exists` where `out` holds anything else.
 */
export async function makeOnce<P, S extends object>(
  out: string,
  record: string,
  parameters: P,
  fill: (folder: string) => Promise<S>,
): Promise<Outcome<{ parameters: P } & S>> {
  const existing = readRecord<{ parameters: P } & S>(join(out, record))
  if (existing && isDeepStrictEqual(existing.parameters, parameters)) return { summary: existing, isNew: false }
  return newFolder(out, async (folder) => {
    const summary = { parameters, ...(await fill(folder)) }
    await writeJson(join(folder, record), summary)
    return { summary, isNew: true }
  })
}

function readRecord<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // No record, or not one of ours: whether the folder is free is seen when it is made.
    return undefined
  }
}

/** A short text that changes with the value. */
export function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
