/** The bytes of pictures, and where a table may take them from. */
import { lstatSync, readFileSync, readFile as readFileThen, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { promisify } from 'node:util'

/** That of node:fs/promises takes twice the time for small files, for it makes an object of each that it opens. */
const readFile = promisify(readFileThen)

/** An encoded picture, or its path: absolute, or from the table's folder on. */
export type PictureInput = Uint8Array | string

/** Where paths of pictures start from and whether they may lead elsewhere. */
export interface PicturePlace {
  folder: string
  /** Default: no, a table must not make us read other files. */
  allowOutside?: boolean
}

/** @throws Error whose message is the reason why there are none, for people. */
export async function pictureBytes(picture: PictureInput, place: PicturePlace): Promise<Uint8Array> {
  return notEmpty(typeof picture === 'string' ? await readFile(picturePath(picture, place)).catch(unreadable) : picture)
}

/** The same, for threads that may wait: it takes a fraction of the time for small files. */
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
 * The full path of a picture, links followed.
 * @throws Error where there is no such file, or where it leads out of the folder and may not.
 */
function picturePath(path: string, { folder, allowOutside }: PicturePlace): string {
  const full = resolve(folder, path)
  if (!allowOutside && leavesFolder(resolve(folder), full)) throw outside()
  const real = realPath(full)
  if (!allowOutside && leavesFolder(realFolder(resolve(folder)), real)) throw outside()
  return real
}

/** Of full paths. */
const leavesFolder = (folder: string, path: string) =>
  path !== folder && !path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

const outside = () => new Error("outside: the path leads out of the table's folder (data.allowOutside permits it)")

/** The system would follow every folder on the way anew for each file, which takes longer than to read a small one. */
function realPath(path: string): string {
  try {
    const real = join(realFolder(dirname(path)), basename(path))
    return lstatSync(real).isSymbolicLink() ? realpathSync.native(real) : real
  } catch (error) {
    return unreadable(error)
  }
}

const mostKnown = 10_000
const knownFolders = new Map<string, string>()

function realFolder(folder: string): string {
  const known = knownFolders.get(folder)
  if (known !== undefined) return known
  if (knownFolders.size === mostKnown) knownFolders.clear()
  const real = realpathSync.native(folder)
  knownFolders.set(folder, real)
  return real
}

function unreadable(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') throw new Error('missing: no such file')
  if (code === 'EISDIR') throw new Error('missing: a folder, not a file')
  throw new Error(`unreadable: ${code ?? error}`)
}
