/**
 * Files and folders that cannot be found, read or written. Errors of the operating system about them are the user's:
 * they become one line with the place, the reason and a remedy.
 */
import { mkdtempSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { memoryError } from './capacity.js'
import { Interrupted, UserError } from './errors.js'
import { limitError } from './limits.js'

interface Reason {
  id: string
  what: string
  remedy: string
}

const elsewhere = 'choose another place'
const missing = { id: 'place-missing', what: 'no such file or folder', remedy: 'check the path' }
const inTheWay = { id: 'place-not-folder', what: 'a file is where a folder is expected', remedy: elsewhere }
const noFile = { id: 'place-not-file', what: 'a device, pipe or socket is there', remedy: elsewhere }
const aFolder = { id: 'place-not-file', what: 'this is a folder', remedy: 'give the path of a file' }
const denied = { id: 'place-denied', what: 'permission denied', remedy: `change its permissions, or ${elsewhere}` }
const full = { id: 'place-full', what: 'no space left on the disk', remedy: 'free space, or choose another disk' }
const device = { id: 'place-failing', what: 'the disk reports an error', remedy: 'check the disk or network drive' }
const open = { id: 'files-open', what: 'too many open files', remedy: 'raise the limit, e.g. ulimit -n 65536' }

/** Reasons by the code of the system, and the system's words for it, which DuckDB's errors contain instead. */
const reasons: Readonly<Record<string, Reason & { words?: string }>> = {
  ENOENT: { ...missing, words: 'No such file or directory' },
  ENOTDIR: { ...inTheWay, words: 'Not a directory' },
  // Of mkdir, the only system call of ours that creates under a given name.
  EEXIST: { ...inTheWay, words: 'path exists but is not a directory' },
  EISDIR: { ...aFolder, words: 'Is a directory' },
  ERR_FS_EISDIR: aFolder,
  EACCES: { ...denied, words: 'Permission denied' },
  EPERM: { ...denied, words: 'Operation not permitted' },
  EROFS: { ...denied, what: 'the file system is read-only', remedy: elsewhere, words: 'Read-only file system' },
  EBUSY: { ...denied, what: 'it is in use, e.g. a mount point', remedy: 'choose a folder in it', words: 'busy' },
  EXDEV: { ...denied, what: 'it is on another file system', remedy: elsewhere, words: 'cross-device link' },
  ENOSPC: { ...full, words: 'No space left on device' },
  EDQUOT: { ...full, what: 'the disk quota is used up', words: 'Disk quota exceeded' },
  EFBIG: { ...full, what: 'the file is larger than the file system or ulimit -f allows', words: 'File too large' },
  EMFILE: { ...open, words: 'Too many open files' },
  ENFILE: { ...open, words: 'Too many open files in system' },
  ENAMETOOLONG: { id: 'place-name', what: 'the name is too long', remedy: elsewhere, words: 'File name too long' },
  ELOOP: {
    id: 'place-name',
    what: 'links that lead in a circle',
    remedy: 'correct the links',
    words: 'symbolic links',
  },
  ERR_INVALID_ARG_VALUE: { id: 'place-name', what: 'the path contains a zero byte', remedy: 'check the path' },
  cwd: { ...missing, what: 'it was removed', remedy: 'change to a folder that exists' },
  homedir: { ...missing, what: 'this user has none', remedy: 'set HOME' },
  EIO: { ...device, words: 'Input/output error' },
  ESTALE: { ...device, words: 'Stale file handle' },
  ENODEV: device,
  ENXIO: device,
}

/** What failed, by system call. Errors of other calls, such as those of sockets and processes, are not about places. */
const actions: Readonly<Record<string, string>> = {
  access: 'cannot be used',
  close: 'cannot be written',
  copyfile: 'cannot be copied',
  fdatasync: 'cannot be written',
  fstat: 'cannot be read',
  fsync: 'cannot be written',
  ftruncate: 'cannot be written',
  futime: 'cannot be changed',
  link: 'cannot be linked',
  lstat: 'cannot be read',
  mkdir: 'the folder cannot be created',
  mkdtemp: 'a temporary folder cannot be created',
  open: 'cannot be opened',
  opendir: 'the folder cannot be read',
  read: 'cannot be read',
  readlink: 'cannot be read',
  realpath: 'cannot be found',
  rename: 'cannot be renamed',
  rm: 'cannot be removed',
  rmdir: 'cannot be removed',
  scandir: 'the folder cannot be read',
  stat: 'cannot be read',
  statfs: 'cannot be read',
  symlink: 'cannot be linked',
  unlink: 'cannot be removed',
  utime: 'cannot be changed',
  write: 'cannot be written',
}

interface Failed {
  code: string
  action: string
  path?: string
  /** Whether it was a temporary folder, below TMPDIR. */
  temporary: boolean
}

/**
 * `error` as a UserError (`place-missing`, `place-denied`, `place-full`, `place-not-folder`, `place-not-file`,
 * `place-name`, `place-failing`, `files-open`) if it is about a file or folder of the user. `option`: the option that
 * names the place. `path`: the place if the system does not say it, as when a disk is full. Undefined for other errors:
 * also for a file of this package that is missing, which is our mistake.
 */
export function placeError(error: unknown, { option, path }: { option?: string; path?: string } = {}) {
  const failed = fromSystem(error) ?? fromDuckDb(error)
  if (!failed) return undefined
  const place = path && failed.path === `${path}.part` ? path : (failed.path ?? path)
  const { id, what, remedy } = reasons[failed.code]
  if (place && isOurs(place) && ['place-missing', 'place-not-folder', 'place-not-file'].includes(id)) return undefined
  const where = [option, place].filter(Boolean).join(' ')
  const subject = where || ['homedir', 'cwd'].includes(failed.code) ? '' : 'a file '
  const other = failed.temporary ? 'set TMPDIR to a folder that exists and has space' : remedy
  return new UserError({ id, where, what: `${subject}${failed.action}: ${what}`, remedy: other }, { cause: error })
}

/**
 * What to report for anything thrown: a mistake of the user, a limit of the system, an interruption, or undefined for a
 * mistake of ours.
 */
export function expectedError(thrown: unknown): UserError | Interrupted | undefined {
  if (thrown instanceof UserError || thrown instanceof Interrupted) return thrown
  return placeError(thrown) ?? memoryError(thrown) ?? limitError(thrown)
}

/** Does `work`; an error about a file or folder names the place and the option. */
export async function atPlace<T>(place: { option?: string; path?: string }, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw placeError(error, place) ?? error
  }
}

/** Code, call and path of an error of Node. Another thread's error has only the message left. */
function fromSystem(error: unknown): Failed | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, syscall, path } = error as NodeJS.ErrnoException
  const [, textCode, textCall, textPath] =
    /^(E[A-Z]+): .*?, (\w+)(?: '(.*?)'(?: -> '.*')?)?$/s.exec(error.message) ?? []
  const known = code ?? textCode
  if (known === 'ERR_INVALID_ARG_VALUE') {
    const [, given] = /null bytes\. Received (.*)/s.exec(error.message) ?? []
    return given ? { code: known, action: 'cannot be opened', path: given, temporary: false } : undefined
  }
  if (syscall === 'uv_cwd') return { code: 'cwd', action: 'the working folder is gone', temporary: false }
  if (syscall === 'uv_os_homedir') return { code: 'homedir', action: 'the home folder is unknown', temporary: false }
  const call = syscall ?? textCall
  if (known === undefined || call === undefined || !(known in reasons) || !(call in actions)) return undefined
  if (known === 'EEXIST' && call !== 'mkdir') return undefined
  return {
    code: known,
    action: actions[call],
    path: path ?? textPath,
    temporary: call === 'mkdtemp' || (path ?? textPath)?.startsWith(join(tmpdir(), 'mim-')) === true,
  }
}

/** DuckDB's errors name the file in quotes, then the system's words. */
function fromDuckDb(error: unknown): Failed | undefined {
  if (!(error instanceof Error)) return undefined
  if (/^Out of Memory Error: .*max_temp_directory_size/s.test(error.message)) {
    return { code: 'ENOSPC', action: 'temporary files of a query cannot be written', temporary: false }
  }
  const [, did, path, words] = /^IO Error: ([^"]*)"(.+?)":? (.+)/s.exec(error.message) ?? []
  const [code] = Object.entries(reasons).find(([, { words: known }]) => known && words?.includes(known)) ?? []
  if (code === undefined) return undefined
  const call = /directory/.test(did) ? 'mkdir' : /write|truncate|sync/.test(did) ? 'write' : 'open'
  return { code, action: actions[call], path, temporary: path.startsWith(join(tmpdir(), 'mim-')) }
}

const packageRoot = fileURLToPath(new URL('../../../', import.meta.url))
const ours = ['dist', 'node_modules', 'configs', 'bin', 'package.json'].map((name) => join(packageRoot, name))

const isOurs = (path: string) => ours.some((own) => resolve(path) === own || resolve(path).startsWith(`${own}/`))

/** @throws UserError as `placeError` unless there can be temporary folders. */
export function checkTemporary(): void {
  const folder = tmpdir()
  check(folder, 'TMPDIR', 'mkdtemp', () => {
    if (!statSync(folder).isDirectory()) throw system('ENOTDIR', 'mkdtemp', folder)
    tryIn(folder)
  })
}

/**
 * Checks that files can be written into the folder at `path`, or that it can be created; leaves nothing.
 * @throws UserError as `placeError`, which names the option.
 */
export function checkFolder(path: string, option: string): void {
  check(path, option, 'mkdir', () => {
    const folder = nearest(path)
    if (!statSync(folder).isDirectory()) throw system('ENOTDIR', 'mkdir', folder)
    tryIn(folder)
  })
}

/** Creates a folder in `folder` and removes it: permissions alone do not say whether this works, e.g. in /proc. */
function tryIn(folder: string): void {
  const path = join(folder, '.mim-')
  try {
    rmdirSync(mkdtempSync(path))
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // The place is the folder, not the name tried in it. It exists, so ENOENT means that it takes no folders.
    throw system(code === 'ENOENT' ? 'EPERM' : code, 'mkdtemp', folder)
  }
}

/**
 * Checks that a file can be written at `path`; leaves nothing.
 * @throws UserError as `placeError`, which names the option.
 */
export function checkFile(path: string, option: string): void {
  check(path, option, 'open', () => {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw system('EISDIR', 'open', path)
    requireReplaceable(path)
  })
  checkFolder(dirname(resolve(path)), option)
}

/**
 * A rename onto a device, such as /dev/null, removes it for every program of the machine.
 * @throws UserError `place-not-file` if a file at `path` would take the place of a device, pipe or socket.
 */
export function requireReplaceable(path: string): void {
  if (!isSpecial(path)) return
  const { id, what, remedy } = noFile
  throw new UserError({ id, where: path, what: `the file cannot be written: ${what}`, remedy })
}

function isSpecial(path: string): boolean {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found !== undefined && !found.isFile() && !found.isDirectory()
  } catch {
    // Why the place cannot be used is said when it is used.
    return false
  }
}

function check(path: string, option: string, syscall: string, work: () => void): void {
  if (path.trim() === '')
    throw new UserError({ id: 'place-name', where: option, what: 'the path is empty', remedy: 'give a path' })
  try {
    work()
  } catch (error) {
    const { code = '', path: at = path } = error as NodeJS.ErrnoException
    if (!(code in reasons)) throw error
    const { id, what, remedy } = reasons[code]
    const cause = resolve(at) === resolve(path) ? what : `${at}: ${what}`
    const other = syscall === 'mkdtemp' ? 'set TMPDIR to a folder that exists and has space' : remedy
    throw new UserError({ id, where: `${option} ${path}`, what: `${actions[syscall]}: ${cause}`, remedy: other })
  }
}

/** The folder at `path`, or its nearest parent that exists. */
function nearest(path: string): string {
  for (let at = resolve(path); ; at = dirname(at)) {
    try {
      if (statSync(at, { throwIfNoEntry: false })) return at
    } catch (error) {
      // Below a file there is nothing; the file itself comes next.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error
    }
    if (at === dirname(at)) throw system('ENOENT', 'mkdir', path)
  }
}

const system = (code: string, syscall: string, path: string) => Object.assign(new Error(code), { code, syscall, path })
