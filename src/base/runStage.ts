/** The stage of a run folder, for commands that take runs of certain stages. */
import { readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { UserError } from './errors.js'
import { Lock } from './processes/lock.js'
import { recoverRun } from './replaced.js'

/** Folders in a run that commands take instead of the run. */
const parts = ['checkpoint', 'embeddings', 'table']

/** The stage of the run in `folder`, or that `folder` is a part of; undefined if it is of no run. */
export function runStage(folder: string): string | undefined {
  return foldersOf(folder)
    .map(stageIn)
    .find((stage) => stage !== undefined)
}

/** `folder`, and the run folder that it is a part of. */
const foldersOf = (folder: string) =>
  parts.includes(basename(resolve(folder))) ? [folder, dirname(resolve(folder))] : [folder]

/**
 * Prepares the reading of a run, or of a part of one: the earlier run is put back if an interrupted --overwrite left it
 * aside.
 * @throws UserError `folder-locked`, `run-replaced`: see `recoverRun`.
 */
export function recoverRunOf(folder: string): void {
  for (const one of foldersOf(folder)) recoverRun(one)
}

/**
 * Locks the path of an output file: the whole folder if it is of a run, so that a run does not replace the file at the
 * same time.
 * @throws UserError `folder-locked` if another process writes there.
 */
export function lockOutput(path: string): Lock {
  const folder = dirname(resolve(path))
  return stageIn(folder) === undefined ? Lock.path(path) : Lock.folder(folder)
}

function stageIn(folder: string): string | undefined {
  try {
    const { stage } = parse(readFileSync(join(folder, 'config.yaml'), 'utf8'), { logLevel: 'error' }) as {
      stage?: unknown
    }
    return typeof stage === 'string' ? stage : undefined
  } catch {
    // No run folder; who reads it says why.
    return undefined
  }
}

/**
 * Prepares the reading of a run as `recoverRunOf`, and checks that `folder` is not of a run of another stage.
 * @throws UserError `run-stage`, and those of `recoverRunOf`.
 */
export function requireStage(folder: string, stages: readonly string[], option?: string): void {
  recoverRunOf(folder)
  const stage = runStage(folder)
  if (stage === undefined || stages.includes(stage)) return
  const what = `${folder} is of a run of mim ${stage}, not of mim ${stages.join(' or mim ')}`
  throw new UserError({ id: 'run-stage', where: option, what, remedy: 'give another folder' })
}
