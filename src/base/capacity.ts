/** What the machine has left of memory and disk, asked before much is taken: it is better to say so than to be killed. */
import { readFileSync, statfsSync, statSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { UserError } from './errors.js'

/** Less is not worth asking for [bytes]. */
const little = 2 ** 26

/**
 * Refuses what cannot fit. `bytes` is what is certainly needed: an estimate from below, so that nothing is refused that
 * would work. `what` it is for, and how to need less.
 * @throws UserError `memory`
 */
export function requireMemory(bytes: number, what: string, remedy: string): void {
  if (bytes < little) return
  const free = freeMemory()
  if (bytes <= free) return
  throw new UserError({ id: 'memory', what: `${what}: needs ${sizeOf(bytes)}, ${sizeOf(free)} are free`, remedy })
}

/**
 * As `requireMemory`, for objects of JavaScript: Node ends a process whose objects outgrow their limit, whatever the
 * machine has.
 * @throws UserError `memory`
 */
export function requireHeap(bytes: number, what: string, remedy: string): void {
  requireMemory(bytes, what, remedy)
  const { heap_size_limit: limit, used_heap_size: used } = getHeapStatistics()
  if (bytes < little || bytes <= limit - used) return
  const size = `needs ${sizeOf(bytes)}, Node may use ${sizeOf(limit)}`
  const more = `${remedy}, or raise the limit: NODE_OPTIONS=--max-old-space-size=${Math.ceil((1.5 * bytes) / 2 ** 20)}`
  throw new UserError({ id: 'memory', what: `${what}: ${size}`, remedy: more })
}

/**
 * Refuses what the disk of `folder`, or of its nearest parent that exists, has no space for; `bytes` as above.
 * @throws UserError `disk`
 */
export function requireDisk(bytes: number, folder: string, what: string, remedy: string): void {
  if (bytes < little) return
  const { bavail, bsize } = statfsSync(existing(resolve(folder)))
  const free = bavail * bsize
  if (bytes <= free) return
  const room = `${sizeOf(free)} are free on the disk of ${folder}`
  throw new UserError({ id: 'disk', what: `${what}: needs ${sizeOf(bytes)}, ${room}`, remedy })
}

const existing = (folder: string): string =>
  statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? folder : existing(dirname(folder))

const amount = /^(\d+(?:\.\d+)?)\s?([KMGT])(i?)B$/i
const [leastLimit, mostLimit] = [1e6, 1e15]

/** What `limitIn` reads. */
export const limitRule = 'a size such as 2GB, from 1MB to 1000TB'

/** Bytes of a memory limit as users write it: 2GB, 512 MiB; undefined for another text, or a limit out of reason. */
export function limitIn(text: string): number | undefined {
  const [, number, prefix, binary] = amount.exec(text) ?? []
  if (number === undefined) return undefined
  const bytes = Number(number) * (binary ? 1024 : 1000) ** (1 + 'KMGT'.indexOf(prefix.toUpperCase()))
  return bytes >= leastLimit && bytes <= mostLimit ? bytes : undefined
}

const units = ['MB', 'GB', 'TB', 'PB']

/** Bytes as people read them: 6.1 GB. */
export function sizeOf(bytes: number): string {
  let [value, unit] = [bytes / 1e6, 0]
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1]
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** `system` is the folder that the files of Linux are below; tests have their own. */
export interface System {
  system?: string
  /** Bytes of memory of the machine. */
  total?: number
}

/**
 * Bytes that this process can still take: the least of the machine's free memory with swap, of the limits of its control
 * groups, and of its address space (ulimit -v). Memory with copies of files counts as free, because the system gives it
 * up. Systems other than Linux only say what there is in total.
 */
export function freeMemory({ system = '/', total = totalmem() }: System = {}): number {
  const read = (...path: string[]) => readText(join(system, ...path))
  const machine = fieldsOf(read('proc/meminfo'))
  const free = machine.get('MemAvailable')
  const ofMachine = free === undefined ? total : 1024 * (free + (machine.get('SwapFree') ?? 0))
  return Math.max(0, Math.min(ofMachine, ...groupsFree(read), addressesFree(read)))
}

type Read = (...path: string[]) => string

/** Bytes that each control group of this process has left, of versions 2 and 1 of Linux's control groups. */
function groupsFree(read: Read): number[] {
  const lines = read('proc/self/cgroup').split('\n')
  const pathOf = (pattern: RegExp) => lines.map((line) => pattern.exec(line)?.[1]).find((path) => path !== undefined)
  const limits = (root: string, path: string, one: (folder: string) => number) =>
    foldersOf(path).map((f) => one(join(root, f)))
  const two = (folder: string) => {
    const stat = fieldsOf(read(folder, 'memory.stat'))
    const files = (stat.get('inactive_file') ?? 0) + (stat.get('active_file') ?? 0)
    return numberIn(read(folder, 'memory.max')) - numberIn(read(folder, 'memory.current'), 0) + files
  }
  const one = (folder: string) => {
    const stat = fieldsOf(read(folder, 'memory.stat'))
    const files = (stat.get('total_inactive_file') ?? 0) + (stat.get('total_active_file') ?? 0)
    return numberIn(read(folder, 'memory.limit_in_bytes')) - numberIn(read(folder, 'memory.usage_in_bytes'), 0) + files
  }
  return [
    ...limits('sys/fs/cgroup', pathOf(/^0::(.*)$/) ?? '/', two),
    ...limits('sys/fs/cgroup/memory', pathOf(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/) ?? '/', one),
  ]
}

/** The folder and those above it: a container may see its own as the root, under which its path does not exist. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').filter(Boolean)
  return parts.map((_, i) => parts.slice(0, i + 1).join('/')).concat('')
}

/** Bytes of addresses that the process may still take. */
function addressesFree(read: Read): number {
  const [, limit] = /^Max address space +(\S+)/m.exec(read('proc/self/limits')) ?? []
  const taken = fieldsOf(read('proc/self/status')).get('VmSize') ?? 0
  return numberIn(limit) - 1024 * taken
}

const readText = (path: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Not Linux, or not permitted: no limit is known.
    return ''
  }
}

/** A limit: `max`, `unlimited` and a missing one are none. */
const numberIn = (text: string | undefined, otherwise = Number.POSITIVE_INFINITY) =>
  /^\d+\s*$/.test(text ?? '') ? Number(text) : otherwise

/** Lines of a name and a number. */
const fieldsOf = (text: string) =>
  new Map(Array.from(text.matchAll(/^(\w+):?\s+(\d+)/gm), ([, name, value]) => [name, Number(value)] as const))

/** What libraries and the system say when memory is not there. */
const failures = [
  /^Array buffer allocation failed$/,
  /^Invalid (typed )?array( buffer)? length/,
  /^Invalid string length$/,
  /^Cannot create a string longer than/,
  /could not allocate memory/i,
  /\bbad_?alloc(ation)?\b/,
  /\bOOM when allocating\b/,
  /^Out of Memory Error: /,
  /\bFailed to allocate memory\b/,
  /^Aborted\(OOM\)|Cannot enlarge memory arrays/,
  /\bENOMEM\b/,
  /reaching memory limit/,
]

/** `error` as a UserError `memory` if memory ran out; undefined for other errors. */
export function memoryError(error: unknown): UserError | undefined {
  if (!(error instanceof Error) || error instanceof UserError) return undefined
  if (!failures.some((one) => one.test(error.message))) return undefined
  // A length that is no number is a mistake of ours.
  const [, length] = /length:? (-?[\w.]+)$/.exec(error.message) ?? []
  if (length !== undefined && !(Number(length) > 2 ** 30)) return undefined
  const [first] = error.message.split('\n')
  const what = `memory ran out (${first}); ${sizeOf(freeMemory())} are free`
  const remedy = 'use less data, a smaller model or smaller batches, or a machine with more memory'
  return new UserError({ id: 'memory', what, remedy }, { cause: error })
}
