/** Replaces files and folders atomically: they are written under a temporary name, then renamed. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { UserError } from './errors.js'
import { atPlace } from './places.js'

/** Replaces the file at `path` with the one that `write` creates at the path that it gets. */
export async function replaceFile(path: string, write: (temporary: string) => void | Promise<void>): Promise<void> {
  const temporary = `${path}.part`
  mkdirSync(dirname(path), { recursive: true })
  try {
    await atPlace({ path }, () => write(temporary))
    renameSync(temporary, path)
  } finally {
    rmSync(temporary, { force: true })
  }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await replaceFile(path, (temporary) => writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`))
}

/**
 * Replaces the folder at `path` with one that `write` fills. A folder cannot be renamed onto another, so for a moment
 * only `path.old` exists: call `recoverFolder` before reading.
 */
export async function replaceFolder(path: string, write: (temporary: string) => void | Promise<void>): Promise<void> {
  const [temporary, old] = [`${path}.part`, `${path}.old`]
  recoverFolder(path)
  mkdirSync(temporary, { recursive: true })
  try {
    await atPlace({ path }, () => write(temporary))
    if (existsSync(path)) renameSync(path, old)
    renameSync(temporary, path)
    rmSync(old, { recursive: true, force: true })
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** Cleans up after a killed `replaceFolder`: the folder is then the last complete one, or absent. */
export function recoverFolder(path: string): void {
  const [temporary, old] = [`${path}.part`, `${path}.old`]
  rmSync(temporary, { recursive: true, force: true })
  if (!existsSync(old)) return
  if (existsSync(path)) rmSync(old, { recursive: true })
  else renameSync(old, path)
}

/**
 * Creates the folder at `path` with the files that `write` puts into the folder that it gets.
 * @throws UserError `out-exists` unless `path` is a new or empty folder, and no mount point.
 */
export async function newFolder<T>(path: string, write: (temporary: string) => Promise<T>): Promise<T> {
  const target = resolve(path)
  if (existsSync(target) && !(statSync(target).isDirectory() && readdirSync(target).length === 0)) {
    throw new UserError({
      id: 'out-exists',
      what: `${path} already exists and is not empty`,
      expected: 'a new or empty folder',
      remedy: 'remove it or choose another',
    })
  }
  // A mount point, such as a volume of a container, cannot be replaced; better said now than after the work.
  if (existsSync(target) && statSync(target).dev !== statSync(dirname(target)).dev) {
    const [what, expected] = [`${path} is a mount point`, 'a folder that can be replaced']
    throw new UserError({
      id: 'out-exists',
      what,
      expected,
      remedy: `choose a folder in it, such as ${join(path, 'data')}`,
    })
  }
  // A unique name: other files in the parent folder belong to the user.
  const temporary = `${target}.part-${process.pid}`
  mkdirSync(temporary, { recursive: true })
  try {
    const result = await atPlace({ path }, () => write(temporary))
    // On some systems an empty folder cannot be replaced by a rename.
    if (existsSync(target)) rmdirSync(target)
    renameSync(temporary, target)
    return result
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}
