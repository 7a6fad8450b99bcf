/**
 * Everything that appears under its own name goes through here: it is written under a temporary name, flushed to the
 * disk, then renamed. So it appears whole or not at all, also after `kill -9` and after a power cut.
 */
import { randomInt } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { UserError } from './errors.js'
import { atPlace, requireReplaceable } from './places.js'
import { removeSiblings, siblingName, TemporaryPath } from './processes/temporary.js'

/** Renames a file, link or folder; first its content is on the disk, afterwards its new name. */
export function moveTo(from: string, to: string): void {
  flush(from)
  renameSync(from, to)
  const folders = new Set([dirname(resolve(to)), dirname(resolve(from))])
  for (const folder of folders) flushNames(folder)
}

/** Waits until the content of a file, or all of a folder, is on the disk. */
function flush(path: string): void {
  const found = lstatSync(path)
  if (found.isDirectory()) {
    for (const name of readdirSync(path)) flush(join(path, name))
    flushNames(path)
  } else if (found.isFile()) {
    const file = openSync(path, 'r')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }
}

/** Errors of opening and flushing a folder: Windows does not open folders, network drives may not flush them. */
const withoutNames = new Set(['EINVAL', 'ENOTSUP', 'ENOSYS', 'EPERM', 'EISDIR', 'EACCES'])

/** Waits until the names in a folder are on the disk, where the system can do that. */
function flushNames(folder: string): void {
  let opened: number | undefined
  try {
    opened = openSync(folder, 'r')
    fsyncSync(opened)
  } catch (error) {
    if (!withoutNames.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    if (opened !== undefined) closeSync(opened)
  }
}

/** Makes a folder and those above it, unless they exist. */
export function makeFolder(path: string): void {
  const first = mkdirSync(path, { recursive: true })
  if (first === undefined) return
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    flushNames(dirname(folder))
    if (folder === resolve(first)) return
  }
}

/** Replaces the file at `path` with the one that `write` creates at the path that it gets. */
export async function replaceFile(path: string, write: (temporary: string) => void | Promise<void>): Promise<void> {
  requireReplaceable(path)
  makeFolder(dirname(path))
  using temporary = new TemporaryPath(`${path}.part`)
  await atPlace({ path }, async () => {
    await write(temporary.path)
    moveTo(temporary.path, path)
  })
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await replaceFile(path, (temporary) => writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`))
}

/** Errors of file systems without hard links: of memory cards, of some network drives and containers. */
const withoutLinks = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK'])

/**
 * Creates a file with all its content, unless the path exists; returns whether it did. Of several processes that do so
 * at the same time one succeeds. Where the file system has no hard links the content may appear a moment later.
 */
export function newFile(path: string, content: string): boolean {
  const temporary = `${path}.part-${randomInt(2 ** 47)}`
  try {
    writeFileSync(temporary, content, { flag: 'wx' })
    linkSync(temporary, path)
    return true
  } catch (error) {
    const { code = '', syscall } = error as NodeJS.ErrnoException
    if (syscall !== 'link') throw error
    // ENOENT: who has created the file in the meantime removed the temporary one.
    if (code === 'EEXIST' || code === 'ENOENT') return false
    if (!withoutLinks.has(code)) throw error
    return writeNew(path, content)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** As `newFile`, but for a moment the file is there without its content. */
function writeNew(path: string, content: string): boolean {
  let file: number
  try {
    file = openSync(path, 'wx')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  try {
    writeFileSync(file, content)
    return true
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

/** Makes `link` a symbolic link to `target`, in one step; replaces a file or link. */
export function replaceLink(link: string, target: string): void {
  const temporary = `${link}.part`
  rmSync(temporary, { force: true })
  symlinkSync(target, temporary)
  moveTo(temporary, link)
}

/**
 * Replaces the folder at `path` with one that `write` fills. A folder cannot be renamed onto another, so for a moment
 * only `path.old` exists: call `recoverFolder` before reading.
 */
export async function replaceFolder(path: string, write: (temporary: string) => void | Promise<void>): Promise<void> {
  const old = `${path}.old`
  recoverFolder(path)
  using temporary = new TemporaryPath(`${path}.part`)
  mkdirSync(temporary.path, { recursive: true })
  await atPlace({ path }, async () => {
    await write(temporary.path)
    flush(temporary.path)
    if (existsSync(path)) moveTo(path, old)
    moveTo(temporary.path, path)
  })
  rmSync(old, { recursive: true, force: true })
}

/** Cleans up after a killed `replaceFolder`: the folder is then the last complete one, or absent. */
export function recoverFolder(path: string): void {
  const [temporary, old] = [`${path}.part`, `${path}.old`]
  rmSync(temporary, { recursive: true, force: true })
  if (!existsSync(old)) return
  if (existsSync(path)) rmSync(old, { recursive: true })
  else moveTo(old, path)
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
  // A name with the process: other files in the parent folder belong to the user.
  removeSiblings(target, 'part')
  using temporary = new TemporaryPath(siblingName(target, 'part'))
  mkdirSync(temporary.path, { recursive: true })
  const result = await atPlace({ path }, () => write(temporary.path))
  // On some systems an empty folder cannot be replaced by a rename.
  if (existsSync(target)) rmdirSync(target)
  moveTo(temporary.path, target)
  return result
}
