/** Files and folders that appear whole or not at all: written under a temporary name, then renamed. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { UserError } from './errors.js'

/** Replaces the file at `path` by one that `write` makes at the path it is given. */
export async function replaceFile(path: string, write: (temporary: string) => void | Promise<void>): Promise<void> {
  const temporary = `${path}.part`
  mkdirSync(dirname(path), { recursive: true })
  try {
    await write(temporary)
    renameSync(temporary, path)
  } finally {
    rmSync(temporary, { force: true })
  }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await replaceFile(path, (temporary) => writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`))
}

/**
 * Replaces the folder at `path` by one that `write` fills. A folder cannot be renamed onto another, so
 * there is a moment when only `path.old` exists: `recoverFolder` must be called before reading.
 */
export async function replaceFolder(path: string, write: (temporary: string) => void | Promise<void>): Promise<void> {
  const [temporary, old] = [`${path}.part`, `${path}.old`]
  recoverFolder(path)
  mkdirSync(temporary, { recursive: true })
  try {
    await write(temporary)
    if (existsSync(path)) renameSync(path, old)
    renameSync(temporary, path)
    rmSync(old, { recursive: true, force: true })
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** Undoes what a killed `replaceFolder` left: the folder is then the last whole one, or absent. */
export function recoverFolder(path: string): void {
  const [temporary, old] = [`${path}.part`, `${path}.old`]
  rmSync(temporary, { recursive: true, force: true })
  if (!existsSync(old)) return
  if (existsSync(path)) rmSync(old, { recursive: true })
  else renameSync(old, path)
}

/**
 * Makes the folder at `path` of what `write` puts into the empty one that it is given.
 * @throws UserError `out-exists` where `path` is anything but a new or empty folder.
 */
export async function newFolder<T>(path: string, write: (temporary: string) => Promise<T>): Promise<T> {
  const target = resolve(path)
  if (existsSync(target) && !(statSync(target).isDirectory() && readdirSync(target).length === 0)) {
    throw new UserError({
      id: 'out-exists',
      what: `${path} already exists and is not empty`,
      expected: 'a new or empty folder',
      remedy: 'remove it or name another',
    })
  }
  // A name that is nobody else's: what lies beside this folder belongs to the user.
  const temporary = `${target}.part-${process.pid}`
  mkdirSync(temporary, { recursive: true })
  try {
    const result = await write(temporary)
    // An empty folder is in the way of a rename on some systems.
    if (existsSync(target)) rmdirSync(target)
    renameSync(temporary, target)
    return result
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}
