/**
 * Faults of a process and of its disk, without code in the product. Loaded into `mim` by NODE_OPTIONS=--import; replaces
 * the calls of `node:fs` that change a disk, in all threads. Numbers these calls, writes them to a journal, and kills the
 * process at one of them or makes it fail.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { join, resolve } from 'node:path'
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'

/** `rename` is also of links, `remove` of files and folders that are there. */
export type Kind = 'open' | 'write' | 'flush' | 'folder' | 'rename' | 'link' | 'copy' | 'remove'

export interface Fault {
  /** Number of the call, from 1. */
  at: number
  /** `during`: half of the bytes are written, half of a folder is removed. Absent: the call fails with `code`. */
  kill?: 'before' | 'during' | 'after'
  /** With a kill: the power fails, so that only what was flushed is still there afterwards. */
  power?: boolean
  /** Code of the system, e.g. ENOSPC. */
  code?: string
  /** All later calls that would take space or change a name fail as well, as on a full disk. */
  stays?: boolean
}

/** How a child gets its fault: the variable MIM_FAULTS as JSON. */
export interface Faults {
  /** Lines: number, kind, path in JSON, tab-separated; `flushed` lines have inode and hash, `unflushed` a path. */
  journal: string
  /** Calls on files below these folders count. */
  roots: string[]
  fault?: Fault
}

const { journal, roots, fault }: Faults = JSON.parse(process.env['MIM_FAULTS']!)
const real = { ...fs }
const counter = sharedCounter()
/** Paths of open files. */
const opened = new Map<number, string>()
/** Depth of calls that call others of these. */
let inside = false

/** One counter for all threads. */
function sharedCounter(): Int32Array {
  const name = 'mim faults'
  const found = getEnvironmentData(name) as unknown as Int32Array | undefined
  const counter = found ?? new Int32Array(new SharedArrayBuffer(4))
  if (!found) setEnvironmentData(name, counter as never)
  return counter
}

const note = (...words: unknown[]) => real.appendFileSync(journal, `${words.join('\t')}\n`)
const isCounted = (path: unknown): path is string =>
  typeof path === 'string' && roots.some((root) => `${resolve(path)}/`.startsWith(`${root}/`))
const hashOf = (path: string) => createHash('sha1').update(real.readFileSync(path)).digest('hex')

/** Files at or below `path`. */
function filesAt(path: string): string[] {
  const found = real.lstatSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return real.readdirSync(path).flatMap((name) => filesAt(join(path, name)))
  return found?.isFile() ? [path] : []
}

/** What the disk has for certain, by inode: the hash of the content before the process began, or when last flushed. */
function flushedHashes(): Map<string, string> {
  const lines = real.readFileSync(journal, 'utf8').split('\n')
  const words = lines.map((line) => line.split('\t')).filter(([word]) => word === 'flushed')
  return new Map(words.map(([, inode, hash]) => [inode, hash]))
}

const contentAt = (hash: string) => join(`${journal}.flushed`, hash)

/** Keeps the content of a file that is on the disk now. */
function keepFlushed(path: string): void {
  const hash = hashOf(path)
  note('flushed', real.statSync(path).ino, hash)
  if (fault?.power && !real.existsSync(contentAt(hash))) real.copyFileSync(path, contentAt(hash))
}

/**
 * After a power cut a file that was not flushed has its old content or its new one, whatever other files have; a new
 * file may also be empty or absent.
 */
function cutPower(): void {
  const hashes = flushedHashes()
  for (const path of roots.flatMap(filesAt)) {
    const hash = hashes.get(String(real.statSync(path).ino))
    if (hash === hashOf(path)) continue
    const chance = createHash('sha1')
      .update(`${fault?.at} ${path.split('/').slice(-2)}`)
      .digest()[0]
    if (hash !== undefined) {
      if (chance % 2 === 0) real.writeFileSync(path, real.readFileSync(contentAt(hash)))
    } else if (chance % 3 === 0) real.truncateSync(path)
    else if (chance % 3 === 1) real.unlinkSync(path)
  }
}

function die(): never {
  if (fault?.power) cutPower()
  process.kill(process.pid, 'SIGKILL')
  // The signal may take a moment.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

const messages: Record<string, [number, string]> = {
  EIO: [-5, 'i/o error'],
  EMFILE: [-24, 'too many open files'],
  ENOSPC: [-28, 'no space left on device'],
  EROFS: [-30, 'read-only file system'],
  EDQUOT: [-122, 'disk quota exceeded'],
}

/** An error as Node makes them: those of writing and flushing do not know the path. */
function systemError(code: string, syscall: string, path: string): Error {
  const [errno, text] = messages[code]
  const place = ['write', 'fsync'].includes(syscall) ? {} : { path }
  const message = `${code}: ${text}, ${syscall}${'path' in place ? ` '${path}'` : ''}`
  return Object.assign(new Error(message), { errno, code, syscall, ...place })
}

/** Kinds of calls that a full or read-only disk refuses; a flush and a removal are none. */
const refused: readonly Kind[] = ['write', 'folder', 'rename', 'link', 'copy']

interface Call {
  kind: Kind
  syscall: string
  path: string
  /** Does half of the work. */
  half?: () => void
}

/** Counts a call before it is made; kills or throws if it is its turn. Returns what to do after it. */
function begin({ kind, syscall, path, half }: Call): () => void {
  const number = Atomics.add(counter, 0, 1) + 1
  note(number, kind, JSON.stringify(resolve(path)))
  const isIts = number === fault?.at
  if (fault?.code !== undefined && (isIts || (fault.stays && number > fault.at && refused.includes(kind)))) {
    if (kind === 'write') half?.()
    throw systemError(fault.code, syscall, path)
  }
  if (!isIts) return () => {}
  if (fault?.kill === 'before') die()
  if (fault?.kill === 'during') {
    half?.()
    die()
  }
  return die
}

type Call_ = (...args: unknown[]) => unknown

/** Replaces functions of a module; `describe` says what a call does, undefined for one that does not count. */
function replace(module: object, names: readonly string[], describe: (...args: never[]) => Call | undefined): void {
  const functions = module as Record<string, Call_>
  for (const name of names) {
    const original = functions[name]
    if (!original) continue
    const isSync = name.endsWith('Sync')
    functions[name] = Object.assign(function (this: unknown, ...args: unknown[]) {
      const call = inside ? undefined : describe(...(args as never[]))
      if (!call) return original.apply(this, args)
      const callback = args.at(-1)
      if (isSync) return synchronous(call, () => original.apply(this, args))
      if (typeof callback === 'function') return withCallback(call, callback as Call_, args, original.bind(this))
      return promised(call, () => original.apply(this, args))
    }, original)
  }
}

function synchronous(call: Call, work: () => unknown): unknown {
  inside = true
  try {
    const after = begin(call)
    const result = work()
    after()
    return result
  } finally {
    inside = false
  }
}

function withCallback(call: Call, callback: Call_, args: unknown[], work: Call_): void {
  try {
    const after = begin(call)
    work(...args.slice(0, -1), (...results: unknown[]) => {
      after()
      callback(...results)
    })
  } catch (error) {
    process.nextTick(callback, error)
  }
}

async function promised(call: Call, work: () => unknown): Promise<unknown> {
  const after = begin(call)
  const result = await work()
  after()
  return result
}

/** Whether a file is opened to be written. */
const writes = (flags: unknown) => (typeof flags === 'string' ? /[wa+]/.test(flags) : (Number(flags ?? 0) & 3) !== 0)

const opening = (path: unknown, flags: unknown): Call | undefined =>
  isCounted(path) && (writes(flags) || fault?.code === 'EMFILE')
    ? { kind: 'open', syscall: 'open', path: String(path) }
    : undefined

const writing = (file: number, data: Uint8Array | string, ...rest: unknown[]): Call | undefined => {
  const path = opened.get(file)
  if (path === undefined) return undefined
  const whole = Buffer.from(data as Uint8Array)
  const [offset, length, position] = ArrayBuffer.isView(data)
    ? (rest as number[])
    : [0, whole.length, rest[0] as number]
  const from = typeof offset === 'number' ? offset : 0
  const count = typeof length === 'number' ? length : whole.length - from
  const half = () => void real.writeSync(file, whole, from, count >> 1, typeof position === 'number' ? position : null)
  return { kind: 'write', syscall: 'write', path, half }
}

const writingFile = (path: unknown, data: Uint8Array | string): Call | undefined => {
  const known = typeof path === 'number' ? opened.get(path) : path
  if (!isCounted(known)) return undefined
  const bytes = Buffer.from(data as Uint8Array)
  const half = () => real.writeFileSync(path as string, bytes.subarray(0, bytes.length >> 1))
  return { kind: 'write', syscall: 'write', path: known, half }
}

const removing = (path: unknown): Call | undefined => {
  if (!isCounted(path) || !real.lstatSync(path, { throwIfNoEntry: false })) return undefined
  const half = () => {
    if (!real.lstatSync(path).isDirectory()) return
    const names = real.readdirSync(path).sort()
    for (const name of names.slice(0, Math.ceil(names.length / 2)))
      real.rmSync(join(path, name), { recursive: true, force: true })
  }
  return { kind: 'remove', syscall: 'unlink', path, half }
}

const renaming = (from: unknown, to: unknown): Call | undefined => {
  if (!isCounted(to)) return undefined
  const hashes = flushedHashes()
  for (const file of filesAt(String(from))) {
    if (hashes.get(String(real.statSync(file).ino)) !== hashOf(file)) note('unflushed', JSON.stringify(file))
  }
  return { kind: 'rename', syscall: 'rename', path: to }
}

const simple = (kind: Kind, syscall: string, index: number) =>
  ((...args: unknown[]) => {
    const path = args[index]
    return isCounted(path) ? { kind, syscall, path } : undefined
  }) as (...args: never[]) => Call | undefined

/** A folder that is there is not made. */
const makingFolder = (path: unknown): Call | undefined =>
  isCounted(path) && !real.existsSync(path) ? { kind: 'folder', syscall: 'mkdir', path } : undefined

function install(): void {
  const promises = createRequire(import.meta.url)('node:fs/promises') as object
  rememberOpened()
  for (const [module, suffixes] of [
    [fs, ['Sync', '']],
    [promises, ['']],
  ] as const) {
    const both = (...names: string[]) => names.flatMap((name) => suffixes.map((suffix) => name + suffix))
    replace(module, both('open'), opening)
    replace(module, both('write'), writing)
    replace(module, both('writev'), (file: number) => writing(file, ''))
    replace(module, both('writeFile', 'appendFile'), writingFile)
    replace(module, both('mkdir'), makingFolder)
    replace(module, both('mkdtemp'), simple('folder', 'mkdtemp', 0))
    replace(module, both('rename'), renaming)
    replace(module, both('symlink', 'link'), simple('link', 'symlink', 1))
    replace(module, both('copyFile'), simple('copy', 'copyfile', 1))
    replace(module, both('rm', 'unlink', 'rmdir'), removing)
  }
  noteFlushes()
  syncBuiltinESMExports()
}

/** Remembers the paths of open files. */
function rememberOpened(): void {
  fs.openSync = ((path: string, ...rest: [never]) => {
    const file = real.openSync(path, ...rest)
    if (isCounted(path)) opened.set(file, path)
    return file
  }) as typeof fs.openSync
  fs.open = ((path: string, ...rest: unknown[]) => {
    const callback = rest.pop() as (error: Error | null, file: number) => void
    ;(real.open as Call_)(path, ...rest, (error: Error | null, file: number) => {
      if (!error && isCounted(path)) opened.set(file, path)
      callback(error, file)
    })
  }) as typeof fs.open
  fs.closeSync = (file) => {
    opened.delete(file)
    real.closeSync(file)
  }
  fs.close = ((file: number, ...rest: [never]) => {
    opened.delete(file)
    real.close(file, ...rest)
  }) as typeof fs.close
}

/** What a flush brings to the disk: the content of a file, or the names in a folder. */
function noteFlushes(): void {
  const flush = (original: (file: number) => void) => (file: number) => {
    const path = opened.get(file)
    if (path === undefined) return original(file)
    synchronous({ kind: 'flush', syscall: 'fsync', path }, () => original(file))
    if (real.statSync(path, { throwIfNoEntry: false })?.isFile()) keepFlushed(path)
  }
  fs.fsyncSync = flush(real.fsyncSync)
  fs.fdatasyncSync = flush(real.fdatasyncSync)
}

// What was there before counts as flushed.
if (Atomics.load(counter, 0) === 0 && !real.existsSync(journal)) {
  real.mkdirSync(`${journal}.flushed`, { recursive: true })
  real.writeFileSync(journal, '')
  for (const path of roots.flatMap(filesAt)) keepFlushed(path)
}
install()

// What is left at the end without a flush, a power cut may take; DuckDB's own writing shows here alone.
if (isMainThread) {
  process.on('exit', () => {
    const hashes = flushedHashes()
    for (const path of roots.flatMap(filesAt)) {
      if (hashes.get(String(real.statSync(path).ino)) !== hashOf(path)) note('left', JSON.stringify(path))
    }
  })
}
