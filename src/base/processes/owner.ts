/**
 * The identity of a process, and whether it still runs. A process id alone is used again after its process ended, so
 * the identity includes when the process started, as the system counts it: no clock that somebody may set takes part.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process, identified among all machines and all times. */
export interface Owner {
  host: string
  /** Distinguishes machines of the same name; empty where the system has none. */
  machine: string
  /** Id of the system's start, the same until the machine starts again; empty where the system has none. */
  boot: string
  /** Process ids are unique within one namespace, e.g. within one container; empty where the system has none. */
  namespace: string
  pid: number
  /** When the process started, e.g. in ticks since the start of the system; empty where the system does not say it. */
  started: string
}

/** The owner in a value that was read from a file; undefined for any other value. */
export function ownerIn(value: unknown): Owner | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { host, machine, boot, namespace, pid, started } = value as Record<string, unknown>
  const isComplete = [host, machine, boot, namespace, started].every((text) => typeof text === 'string')
  return isComplete && Number.isSafeInteger(pid) && Number(pid) > 0 ? (value as Owner) : undefined
}

/**
 * `self`: this process. `running`: another process that runs. `ended`: its process has ended. `unknown`: a process of
 * another machine or container, which cannot be seen from here.
 */
export type OwnerState = 'self' | 'running' | 'ended' | 'unknown'

let own: Owner | undefined

/** This process. */
export function thisProcess(): Owner {
  own ??= { ...here(), pid: process.pid, started: startOf(process.pid) ?? '' }
  return own
}

/** What this process can say about another one. */
export const stateOf = (owner: Owner): OwnerState => stateOfToken(tokenOf(owner))

const short = (...texts: string[]) => createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 8)

/** A process as part of a name: machine, boot and namespace, process id and start, e.g. "0a…-1b…-2c…-4711-3d…". */
export const tokenOf = ({ host, machine, boot, namespace, pid, started }: Owner) =>
  [short(host, machine), short(boot), short(namespace), pid, short(started)].join('-')

/** Matches tokens; a pattern for regular expressions. */
export const tokenPattern = '(?:[\\da-f]{8}-){3}\\d+-[\\da-f]{8}'

/** As `stateOf`, of a process by its token. */
export function stateOfToken(token: string): OwnerState {
  if (token === tokenOf(thisProcess())) return 'self'
  const [machine, boot, namespace, pid, started] = token.split('-')
  const [ownMachine, ownBoot, ownNamespace, ownPid] = tokenOf(thisProcess()).split('-')
  if (machine !== ownMachine) return 'unknown'
  // After another start of the machine none of its earlier processes is left, in whatever container it was.
  if (boot !== ownBoot) return 'ended'
  if (namespace !== ownNamespace) return 'unknown'
  return pid !== ownPid && isRunning(Number(pid), started) ? 'running' : 'ended'
}

let place: Pick<Owner, 'host' | 'machine' | 'boot' | 'namespace'> | undefined

function here() {
  place ??= {
    host: hostname(),
    machine: read('/etc/machine-id'),
    boot: read('/proc/sys/kernel/random/boot_id'),
    namespace: namespaceOf(),
  }
  return place
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

function namespaceOf(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/** A signal that is not sent says whether the process exists; its start says whether it is the same process. */
function isRunning(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const start = startOf(pid)
  // Another user's process may hide its start: then the id has to do.
  return start === undefined || started === short('') || short(start) === started
}

/** Of a process that ended and that its parent has not noticed yet. */
const dead = '(dead)'

/** When a process started; undefined where the system does not say it. */
function startOf(pid: number): string | undefined {
  if (process.platform === 'win32') return undefined
  const stat = read(`/proc/${pid}/stat`)
  if (stat) {
    // The second field is the name of the program in parentheses, which may contain any character.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, start] = [fields[0], fields[19]]
    return state === 'Z' || state === 'X' ? dead : start
  }
  if (process.platform === 'linux') return undefined
  try {
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
    const answer = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { env, stdio: 'pipe' })
    const [state, ...start] = String(answer).trim().split(/\s+/)
    return state.startsWith('Z') ? dead : start.join(' ')
  } catch {
    return undefined
  }
}
