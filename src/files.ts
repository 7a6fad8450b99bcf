/** Files and folders that appear whole or not at all: written under a temporary name, then renamed. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

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
