/** Reads the bytes of pictures; checks that paths stay within the folder of the table. */
import { lstatSync, readFileSync, readFile as readFileThen, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { promisify } from 'node:util'

/** Twice as fast for small files as readFile of node:fs/promises, which creates an object per open file. */
const readFile = promisify(readFileThen)

/** An encoded picture, or its path: absolute or relative to the table's folder. */
export type PictureInput = Uint8Array | string

/** The folder that paths are relative to, and whether they may leave it. */
export interface PicturePlace {
  folder: string
  /** Default: false, because a table must not make mim read arbitrary files. */
  allowOutside?: boolean
}

/** @throws Error with the reason for the user: the kind of failure first. */
export async function pictureBytes(picture: PictureInput, place: PicturePlace): Promise<Uint8Array> {
  return notEmpty(typeof picture === 'string' ? await readFile(picturePath(picture, place)).catch(unreadable) : picture)
}

/** The same, blocking the thread: several times faster for small files. */
export function pictureBytesNow(path: string, place: PicturePlace): Uint8Array {
  return notEmpty(readNow(picturePath(path, place)))
}

function readNow(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    return unreadable(error)
  }
}

function notEmpty(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw new Error('empty: 0 bytes')
  return bytes
}

/**
 * The absolute path of a picture, links resolved.
 * @throws Error where there is no such file, or where it is outside the folder without permission.
 */
function picturePath(path: string, { folder, allowOutside }: PicturePlace): string {
  const full = resolve(folder, path)
  if (!allowOutside && leavesFolder(resolve(folder), full)) throw outside()
  const real = realPath(full)
  if (!allowOutside && leavesFolder(realFolder(resolve(folder)), real)) throw outside()
  return real
}

/** Whether absolute `path` is outside `folder`. */
const leavesFolder = (folder: string, path: string) =>
  path !== folder && !path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

const outside = () => new Error("outside: the path leads out of the table's folder (data.allowOutside permits it)")

/** Resolves each folder once: resolving all folders of a path takes longer than reading a small file. */
function realPath(path: string): string {
  try {
    const real = join(realFolder(dirname(path)), basename(path))
    return lstatSync(real).isSymbolicLink() ? realpathSync.native(real) : real
  } catch (error) {
    return unreadable(error)
  }
}

const maxFolders = 10_000
const realFolders = new Map<string, string>()

function realFolder(folder: string): string {
  const cached = realFolders.get(folder)
  if (cached !== undefined) return cached
  if (realFolders.size === maxFolders) realFolders.clear()
  const real = realpathSync.native(folder)
  realFolders.set(folder, real)
  return real
}

function unreadable(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') throw new Error('missing: no such file')
  if (code === 'EISDIR') throw new Error('missing: a folder, not a file')
  throw new Error(`unreadable: ${code ?? error}`)
}
