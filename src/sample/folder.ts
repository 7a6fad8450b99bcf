/** A data set appears whole or not at all. */
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { UserError } from '../errors.js'

/**
 * Calls `fill` with an empty folder beside `out` and renames that to `out` when it returns; nothing is left behind when
 * it throws. UserError `out-exists` where `out` is there and not an empty folder.
 */
export async function inNewFolder<T>(out: string, fill: (folder: string) => Promise<T>): Promise<T> {
  const target = resolve(out)
  if (!(await isFree(target))) {
    throw new UserError({
      id: 'out-exists',
      what: `${out} already exists and is not empty`,
      expected: 'a new or empty folder',
      remedy: 'remove it or name another',
    })
  }
  const partial = `${target}.partial-${process.pid}`
  await mkdir(dirname(target), { recursive: true })
  await rm(partial, { recursive: true, force: true })
  try {
    await mkdir(partial)
    const result = await fill(partial)
    // An empty folder is in the way of a rename on some systems.
    await rmdir(target).catch(ignoreMissing)
    await rename(partial, target)
    return result
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
}

async function isFree(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return false
    ignoreMissing(error)
    return true
  }
}

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
