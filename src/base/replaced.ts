/**
 * `--overwrite` keeps the earlier run of a folder until the new one has a state or results. Until then the earlier run is
 * in `mim.replaced` in the same folder, because the folder itself may be a mount point. A process may be killed at any
 * time, so a folder is in one of these states, each of which `settleRun` ends:
 *
 * 1. `mim.replaced.part`, the other entries are of the earlier run, too: it is being moved aside, or back. → Move it back.
 * 2. `mim.replaced`, the other entries are of a new run without a state or results. → Remove these; state 1 follows.
 * 3. `mim.replaced`, the new run has a state or results. → State 4 follows.
 * 4. `mim.replaced.old`: the earlier run is being removed. → Remove it.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from './errors.js'
import { moveTo } from './files.js'
import { placeError } from './places.js'
import { isOfLock, Lock } from './processes/lock.js'

const replaced = 'mim.replaced'
const moving = `${replaced}.part`
const removing = `${replaced}.old`

/** Whether an entry of a folder is an earlier run that is being replaced. */
export const isReplaced = (name: string) => [replaced, moving, removing].includes(name)

/** What a run is worth keeping for: a state, a model, results, a table, the part of a shard. */
const kept = ['last', 'checkpoint', 'metrics.json', 'table', 'part']

export const hasResults = (folder: string) => kept.some((name) => existsSync(join(folder, name)))

/** Of an extraction: it knows its model and catalogue, so the next run that has the same continues with it. */
const work = 'work'

/** Lists of what was wrong with the data, and how those of a new run are called where the earlier one was put back. */
export const isList = (name: string) => /^rejected\w*\.parquet$/.test(name)
const newList = (name: string) => name.replace('.parquet', '_new.parquet')

const runIn = (folder: string) =>
  readdirSync(folder).filter((name) => !isOfLock(name) && !isReplaced(name) && name !== work)

/** Moves the run in a folder aside. The folder is locked and settled. */
export function moveAside(folder: string): void {
  mkdirSync(join(folder, moving))
  try {
    for (const name of runIn(folder)) moveTo(join(folder, name), join(folder, moving, name))
    moveTo(join(folder, moving), join(folder, replaced))
  } catch (error) {
    moveBack(folder)
    throw error
  }
}

/**
 * Ends the replacement of a run: removes the earlier run if the new one has something, else puts it back. Returns
 * whether it put it back. The folder is locked.
 */
export function settleRun(folder: string): boolean {
  rmSync(join(folder, removing), { recursive: true, force: true })
  if (existsSync(join(folder, replaced))) {
    if (hasResults(folder)) {
      moveTo(join(folder, replaced), join(folder, removing))
      rmSync(join(folder, removing), { recursive: true })
      return false
    }
    removeNew(folder)
    moveTo(join(folder, replaced), join(folder, moving))
  }
  if (!existsSync(join(folder, moving))) return false
  moveBack(folder)
  return true
}

/** Removes the new run, except for its lists, which an error may have named. */
function removeNew(folder: string): void {
  for (const name of runIn(folder)) {
    if (!isList(name)) rmSync(join(folder, name), { recursive: true, force: true })
    else if (!name.endsWith('_new.parquet')) moveTo(join(folder, name), join(folder, newList(name)))
  }
}

function moveBack(folder: string): void {
  const from = join(folder, moving)
  for (const name of readdirSync(from)) moveTo(join(from, name), join(folder, name))
  rmdirSync(from)
}

/**
 * Settles a folder that is to be read, if a process was killed while it replaced the run there.
 * @throws UserError `folder-locked` while a process replaces it, `run-replaced` where the folder cannot be changed.
 */
export function recoverRun(folder: string): void {
  if (![replaced, moving, removing].some((name) => existsSync(join(folder, name)))) return
  try {
    using _lock = Lock.folder(folder)
    settleRun(folder)
  } catch (error) {
    // The new run can be read.
    if (hasResults(folder) && !existsSync(join(folder, moving))) return
    if (error instanceof UserError || !placeError(error)) throw error
    throw new UserError({
      id: 'run-replaced',
      where: folder,
      what: `an interrupted --overwrite left the earlier run in ${replaced}, and the folder cannot be changed`,
      remedy: `give ${join(folder, replaced)}, or make the folder writable`,
    })
  }
}
