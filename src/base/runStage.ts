/** The stage of a run folder, for commands that take runs of certain stages. */
import { readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { UserError } from './errors.js'

/** Folders in a run that commands take instead of the run. */
const parts = ['checkpoint', 'embeddings']

/** The stage of the run in `folder`, or that `folder` is a part of; undefined if it is of no run. */
export function runStage(folder: string): string | undefined {
  return stageIn(folder) ?? (parts.includes(basename(resolve(folder))) ? stageIn(dirname(resolve(folder))) : undefined)
}

function stageIn(folder: string): string | undefined {
  try {
    const { stage } = parse(readFileSync(join(folder, 'config.yaml'), 'utf8')) as { stage?: unknown }
    return typeof stage === 'string' ? stage : undefined
  } catch {
    // No run folder; who reads it says why.
    return undefined
  }
}

/**
 * Checks that `folder` is not of a run of another stage.
 * @throws UserError `run-stage`
 */
export function requireStage(folder: string, stages: readonly string[], option?: string): void {
  const stage = runStage(folder)
  if (stage === undefined || stages.includes(stage)) return
  const what = `${folder} is of a run of mim ${stage}, not of mim ${stages.join(' or mim ')}`
  throw new UserError({ id: 'run-stage', where: option, what, remedy: 'give another folder' })
}
