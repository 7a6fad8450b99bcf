/**
 * The only way to the bytes of a picture, so that no odd value in a table can end a run. A value is encoded bytes, a
 * path, or a `data:` URI. For anything else there is a reason that the user can act on.
 */
import {
  constants,
  lstatSync,
  readFileSync,
  readFile as readFileThen,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { promisify } from 'node:util'
import { isUri, uriBytes } from './uri.js'

/** Twice as fast for small files as readFile of node:fs/promises, which creates an object per open file. */
const readFile = promisify(readFileThen)

/** Some files of the system, such as /proc/kmsg, would wait for content. */
const flag = (constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)) as unknown as string

/** An encoded picture, its `data:` URI, or its path: absolute or relative to the table's folder. */
export type PictureInput = Uint8Array | string

/** The folder that paths are relative to, and whether they may leave it. */
export interface PicturePlace {
  folder: string
  /** Default: false, because a table must not make mim read arbitrary files. */
  allowOutside?: boolean
}

/** Larger files are no pictures: one would take the memory of all others. */
const maxBytes = 2 ** 28

/**
 * The picture in a row: its bytes if there are any, else its path. null for none: a null, no bytes, or a text without
 * letters. A text like "nan" is not null: it may be the name of a file, and the user should see where it comes from.
 */
export function pictureIn(bytes: Uint8Array | null, path: string | null): PictureInput | null {
  if (bytes !== null && bytes.length > 0) return bytes
  return path !== null && hasLetters.test(path) ? path : null
}

/** White space, byte order marks and zero-width characters are no letters. */
const hasLetters = /[^\s\u200b-\u200d\u2060\ufeff]/

/** @throws Error with the reason for the user: the kind of failure first. */
export async function pictureBytes(picture: PictureInput, place: PicturePlace): Promise<Uint8Array> {
  if (typeof picture !== 'string') return checked(picture)
  if (isUri(picture)) return checked(uriBytes(picture))
  const path = picturePath(picture, place)
  return checked(await readFile(path, { flag }).catch((error) => unreadable(error, picture)))
}

/** The same, blocking the thread: several times faster for small files. */
export function pictureBytesNow(picture: PictureInput, place: PicturePlace): Uint8Array {
  if (typeof picture !== 'string') return checked(picture)
  if (isUri(picture)) return checked(uriBytes(picture))
  const path = picturePath(picture, place)
  try {
    return checked(readFileSync(path, { flag }))
  } catch (error) {
    return unreadable(error, picture)
  }
}

function checked(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw new Reason('empty: 0 bytes')
  if (bytes.length > maxBytes) throw tooLarge(bytes.length)
  return bytes
}

/** Why a picture cannot be used. */
class Reason extends Error {}

const tooLarge = (bytes: number) =>
  new Reason(`too large: a file of ${Math.round(bytes / 1e6)} MB, more than ${Math.round(maxBytes / 1e6)} MB`)

/**
 * The absolute path of a picture file, links resolved.
 * @throws Error with the reason where there is no such file, or where it is outside the folder without permission.
 */
export function picturePath(path: string, { folder, allowOutside }: PicturePlace): string {
  try {
    if (path.includes('\0')) throw new Reason('missing: a path cannot contain the character NUL')
    const full = resolve(folder, path)
    if (!allowOutside && leavesFolder(resolve(folder), full)) throw outside()
    let real = join(realFolder(dirname(full)), basename(full))
    let found = lstatSync(real)
    if (found.isSymbolicLink()) {
      real = realpathSync.native(real)
      found = lstatSync(real)
    }
    if (!allowOutside && leavesFolder(realFolder(resolve(folder)), real)) throw outside()
    requireFile(found)
    return real
  } catch (error) {
    return unreadable(error, path)
  }
}

/** Reading a pipe or a device might never end. */
function requireFile(found: Stats): void {
  if (found.isDirectory()) throw new Reason('missing: a folder, not a file')
  if (!found.isFile()) throw new Reason('missing: a pipe or a device, not a file')
  if (found.size > maxBytes) throw tooLarge(found.size)
}

/** Whether absolute `path` is outside `folder`. */
const leavesFolder = (folder: string, path: string) =>
  path !== folder && !path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

const outside = () => new Reason("outside: the path leads out of the table's folder (data.allowOutside permits it)")

const maxFolders = 10_000
const realFolders = new Map<string, string>()

/** Resolves each folder once: resolving all folders of a path takes longer than reading a small file. */
function realFolder(folder: string): string {
  const cached = realFolders.get(folder)
  if (cached !== undefined) return cached
  if (realFolders.size === maxFolders) realFolders.clear()
  const real = realpathSync.native(folder)
  realFolders.set(folder, real)
  return real
}

/** The kind of failures that have to do with the moment, not with the picture: later it may be readable. */
export const unreadableKind = 'unreadable'

function unreadable(error: unknown, path: string): never {
  if (error instanceof Reason) throw error
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') throw new Reason(`missing: no such file${hintOf(path)}`)
  if (code === 'ENAMETOOLONG') throw new Reason(`missing: ${path.length} characters are too long for a path`)
  if (code === 'ELOOP') throw new Reason('missing: a link that leads back to itself')
  if (code === 'EACCES' || code === 'EPERM') throw new Reason(`${unreadableKind}: no permission`)
  throw new Reason(`${unreadableKind}: ${code ?? error}`)
}

/** What pandas and others write for a missing value in a column that they turn into text. */
const missingValues = /^(nan|none|null|nat|na|n\/a|<na>|undefined)$/i

/** What may be wrong with a path to which there is no file. */
function hintOf(path: string): string {
  if (missingValues.test(path)) return `; '${path}' is a missing value as text: write null instead`
  if (path !== path.trim()) return '; the path begins or ends with white space'
  return path.includes('\\') ? '; the path has backslashes' : ''
}

/** Changes with the content of a picture: of a file size and times (the time of change cannot be set), or why there is none; of a URI the text. */
export function pictureStamp(picture: string, folder: string): string {
  if (isUri(picture)) return picture
  try {
    const { size, mtimeMs, ctimeMs } = statSync(resolve(folder, picture))
    return `${picture} ${size} ${mtimeMs} ${ctimeMs}`
  } catch (error) {
    return `${picture} ${(error as NodeJS.ErrnoException).code}`
  }
}

/** How a list names a picture: its path, or the beginning of a long text; null for bytes. */
export function pictureName(picture: PictureInput | null): string | null {
  if (picture === null || typeof picture !== 'string') return null
  return picture.length > maxName ? `${picture.slice(0, maxName)}…` : picture
}

/** The longest path of Linux. A `data:` URI may have megabytes. */
const maxName = 4096
