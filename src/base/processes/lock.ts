/**
 * A lock keeps other processes from writing to the same place. It is a file that names its owner: who finds the lock of
 * a process that has ended takes it over. No clock takes part, so a lock neither expires nor outlives its process.
 *
 * A lock file appears with its whole content, and of several processes that create it one succeeds. To remove the lock
 * of a process that has ended, one needs the claim to do so: another lock, named by the id of the one that may be
 * removed. So of two processes that find the same old lock one removes it, and the other cannot remove the new lock
 * that it finds afterwards. The claim of a process that has ended is taken over in the same way.
 */
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { UserError } from '../errors.js'
import { makeFolder, newFile } from '../files.js'
import { atEnd } from './ending.js'
import { type Owner, type OwnerState, ownerIn, stateOf, thisProcess } from './owner.js'

/** Name of the lock in a folder that is locked. */
export const lockFile = 'mim.lock'

/** The lock file of a file or folder that is written as a whole. */
export const lockOf = (path: string) => `${resolve(path)}.lock`

/** Whether a file of a folder belongs to the folder's lock. */
export const isOfLock = (name: string) => name === lockFile || name.startsWith(`${lockFile}.`)

/** Close it when done; the end of the process closes it, too. */
export class Lock implements Disposable {
  private readonly ending = atEnd(() => this.remove())

  private constructor(
    private readonly file: string,
    private readonly id: string,
  ) {}

  /**
   * Locks a folder, which is made unless it exists.
   * @throws UserError `folder-locked` if another process works there.
   */
  static folder(folder: string): Lock {
    // A run that failed in a new folder removes it, maybe between the two calls.
    for (let left = 3; ; left--) {
      makeFolder(folder)
      try {
        return Lock.take(join(folder, lockFile), folder)
      } catch (error) {
        if (left === 0 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
  }

  /**
   * Locks the path of a file or folder that is written as a whole, by a lock file next to it.
   * @throws UserError `folder-locked` if another process writes it.
   */
  static path(path: string): Lock {
    makeFolder(dirname(resolve(path)))
    return Lock.take(lockOf(path), path)
  }

  private static take(file: string, place: string): Lock {
    const own = { owner: thisProcess(), id: randomUUID(), command: commandOf(process.argv), since: new Date() }
    const content = `${JSON.stringify(own, null, 2)}\n`
    for (let left = tries; ; left--) {
      // A network drive may create the file and yet answer that it was there.
      if (newFile(file, content) || read(file)?.id === own.id) {
        removeRemains(file)
        return new Lock(file, own.id)
      }
      const found = read(file)
      const state = found && (found.owner ? stateOf(found.owner) : isLeft(file, found) ? 'ended' : undefined)
      if (found && state && state !== 'ended') throw locked(found, state, file, place)
      const isRemoved = found && state === 'ended' && removeOld(file, found)
      if (left === 0) throw locked(found, undefined, file, place)
      if (!isRemoved) sleep(pause)
    }
  }

  /** Removes the lock file. */
  release(): void {
    this.ending[Symbol.dispose]()
    this.remove()
  }

  private remove(): void {
    if (read(this.file)?.id === this.id) rmSync(this.file, { force: true })
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/**
 * Checks that no other process works in a folder, without locking it.
 * @throws UserError `folder-locked`
 */
export function requireUnlocked(folder: string): void {
  const file = join(folder, lockFile)
  const found = read(file)
  const state = found?.owner && stateOf(found.owner)
  if (found && state && state !== 'ended') throw locked(found, state, file, folder)
}

/** The words of a command line before its first option, e.g. "mim ctr predict runs/din". */
function commandOf([, , ...words]: readonly string[]): string {
  const first = words.findIndex((word) => word.startsWith('-'))
  return ['mim', ...(first < 0 ? words : words.slice(0, first))].join(' ')
}

interface Found {
  /** Of a file without a readable owner it describes the state of the file. */
  id: string
  owner?: Owner
  /** For people only: the command, and the time by the clock. */
  command?: string
  since?: string
}

/** What a lock file says; undefined if there is none. */
function read(file: string): Found | undefined {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true })
    return foundIn(readFileSync(file, 'utf8')) ?? { id: `${ino}-${size}-${mtimeNs}` }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function foundIn(text: string): Found | undefined {
  try {
    const { id, owner: value, command, since } = JSON.parse(text) as Record<string, unknown>
    const owner = ownerIn(value)
    const isId = typeof id === 'string' && /^[\da-f-]{36}$/.test(id)
    return owner && isId ? { id, owner, command: String(command), since: String(since) } : undefined
  } catch {
    return undefined
  }
}

function locked(
  { owner, command, since }: Found = { id: '' },
  state: OwnerState | undefined,
  file: string,
  where: string,
) {
  const id = 'folder-locked'
  if (!owner) {
    const what = `the lock ${file} cannot be read`
    return new UserError({ id, where, what, remedy: 'remove this file if no other process works here' })
  }
  const what = `${command} is working here, process ${owner.pid} on ${owner.host} since ${since}`
  const unseen = `it cannot be seen from here whether it still runs: if not, remove ${file}`
  return new UserError({ id, where, what, remedy: state === 'unknown' ? unseen : 'wait until it ends, or stop it' })
}

/** Pauses between tries while another process changes a lock [ms], and their number. */
const [pause, tries] = [20, 100]
/** Pauses after which a process that had to create a lock file without a link has surely written it. */
const writing = 25

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** Whether a file without a readable owner is left from a crash or a full disk, because nobody completes it. */
function isLeft(file: string, { id }: Found): boolean {
  for (let waited = 0; waited < writing; waited++) {
    if (read(file)?.id !== id) return false
    sleep(pause)
  }
  return true
}

/** Removes the lock of a process that has ended; returns whether this process did it. */
function removeOld(file: string, { id }: Found): boolean {
  using _claim = claimOf(file, id)
  if (!_claim || read(file)?.id !== id) return false
  rmSync(file, { force: true })
  return true
}

/** The right to remove the lock of this id; undefined while another process has it. */
function claimOf(file: string, id: string): Lock | undefined {
  try {
    return Lock.path(`${file}.${id}`)
  } catch (error) {
    if (error instanceof UserError && error.id === 'folder-locked') return undefined
    throw error
  }
}

/** Removes what killed processes left while they created or claimed this lock, now that this process has it. */
function removeRemains(file: string): void {
  const remains = /^\.(part-\d+|[\da-f-]{3,}\.lock(\..*)?)$/
  const name = basename(file)
  for (const other of readdirSync(dirname(file))) {
    if (other.startsWith(name) && remains.test(other.slice(name.length)))
      rmSync(join(dirname(file), other), { force: true })
  }
}
