/**
 * Temporary files and folders. Their names contain the process that made them, so that another process removes what a
 * killed one left, and nothing of a process that runs, of another machine or of another user.
 */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { atEnd } from './ending.js'
import { stateOfToken, thisProcess, tokenOf, tokenPattern } from './owner.js'

/** A file or folder that is removed when it is disposed, or at the end of the process. */
export class TemporaryPath implements Disposable {
  private readonly ending: Disposable

  constructor(readonly path: string) {
    this.ending = atEnd(() => this.remove())
  }

  private remove(): void {
    try {
      rmSync(this.path, { recursive: true, force: true })
    } catch {
      // Most likely the work failed by the same cause, which its error says better. The next start tries again.
    }
  }

  [Symbol.dispose](): void {
    this.ending[Symbol.dispose]()
    this.remove()
  }
}

/** A new folder below TMPDIR; `purpose` is a part of its name, in lower case. */
export function temporaryFolder(purpose: string): TemporaryPath {
  return new TemporaryPath(mkdtempSync(prefix(purpose)))
}

/** A path below TMPDIR for a folder that a library makes. */
export function temporaryName(purpose: string): TemporaryPath {
  return new TemporaryPath(`${prefix(purpose)}${++names}`)
}

let names = 0

/** The folders that were searched for what killed processes left. */
const searched = new Set<string>()
const ours = new RegExp(`^mim-[a-z-]+-(${tokenPattern})-\\w+$`)

function prefix(purpose: string): string {
  const folder = tmpdir()
  if (!searched.has(folder)) {
    searched.add(folder)
    removeEnded(folder, (name) => ours.exec(name)?.[1])
  }
  return join(folder, `mim-${purpose}-${tokenOf(thisProcess())}-`)
}

/** A path next to `path` for something that will be renamed to it or used only while it is written. */
export const siblingName = (path: string, purpose: string) => `${path}.${purpose}-${tokenOf(thisProcess())}`

/** Removes what killed processes left under names of `siblingName`. */
export function removeSiblings(path: string, purpose: string): void {
  const start = `${basename(path)}.${purpose}-`
  const whole = new RegExp(`^${tokenPattern}$`)
  removeEnded(dirname(path), (name) => {
    const token = name.slice(start.length)
    return name.startsWith(start) && whole.test(token) ? token : undefined
  })
}

/** Removes entries of a folder that belong to this user and a process that has ended; `token` finds it in their names. */
function removeEnded(folder: string, token: (name: string) => string | undefined): void {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    // Who writes to it says why it cannot be used.
    return
  }
  for (const name of names) {
    const process = token(name)
    if (process !== undefined && stateOfToken(process) === 'ended') removeOwn(join(folder, name))
  }
}

function removeOwn(path: string): void {
  try {
    if (lstatSync(path).uid === (process.getuid?.() ?? 0)) rmSync(path, { recursive: true, force: true })
  } catch {
    // Another process removes it at the same time, or it cannot be removed: it disturbs nobody.
  }
}
