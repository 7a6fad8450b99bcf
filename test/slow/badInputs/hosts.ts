/** Runs commands in other processes, which may crash, hang or grow, and measures them. */
import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Command } from './host.js'

export interface Outcome {
  /** Exit code; null after a signal. */
  code: number | null
  signal: NodeJS.Signals | null
  stderr: string
  seconds: number
  /** Growth of the resident memory to its peak [MB]; NaN where the system does not say. */
  megabytes: number
}

/** Commands that one process runs before the next one takes its place, so that what it keeps does not matter. */
const life = 40
/** Seconds after which a command counts as hanging. */
export const limit = Number(process.env['BAD_INPUT_SECONDS'] ?? 30)

/** As many processes as there are cores to run commands on; `folder`: of their standard error. */
export class Hosts implements Disposable {
  private readonly idle: Host[] = []
  private readonly waiting: ((host: Host) => void)[] = []

  constructor(
    folder: string,
    readonly count = Math.min(2, availableParallelism()),
  ) {
    for (let i = 0; i < count; i++) this.idle.push(new Host(join(folder, `stderr-${i}`)))
  }

  async run(command: Command): Promise<Outcome> {
    const host = this.idle.pop() ?? (await new Promise<Host>((resolve) => this.waiting.push(resolve)))
    try {
      return await host.run(command)
    } finally {
      const next = this.waiting.shift()
      if (next) next(host)
      else this.idle.push(host)
    }
  }

  [Symbol.dispose](): void {
    for (const host of this.idle) host.stop()
  }
}

class Host {
  private child: ChildProcess | undefined
  private commands = 0

  constructor(private readonly file: string) {}

  async run(command: Command): Promise<Outcome> {
    if (this.commands++ % life === 0) this.stop()
    const child = this.running()
    const start = readFileSync(this.file).length
    const before = memory(child.pid!)
    const started = performance.now()
    const end = await this.ended(child, command)
    const seconds = (performance.now() - started) / 1000
    const megabytes = memory(child.pid!).peak - before.now
    if (end.exited) this.child = undefined
    const stderr = readFileSync(this.file).subarray(start).toString()
    return { code: end.code, signal: end.signal, stderr, seconds, megabytes }
  }

  private ended(child: ChildProcess, command: Command) {
    type End = { code: number | null; signal: NodeJS.Signals | null; exited: boolean }
    return new Promise<End>((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), limit * 1000)
      const done = (end: End) => {
        clearTimeout(timer)
        child.removeAllListeners()
        resolve(end)
      }
      child.once('message', (code: number) => done({ code, signal: null, exited: false }))
      child.once('exit', (code, signal) => done({ code, signal, exited: true }))
      child.send(command)
    })
  }

  private running(): ChildProcess {
    if (this.child) return this.child
    const file = openSync(this.file, 'w')
    const stdio = ['ignore', 'ignore', file, 'ipc'] as const
    this.child = fork(new URL('./host.js', import.meta.url), {
      stdio: [...stdio],
      env: { ...process.env, MIM_ENGINE: 'wasm' },
    })
    closeSync(file)
    return this.child
  }

  stop(): void {
    this.child?.kill('SIGKILL')
    this.child = undefined
  }
}

/** Resident memory of a process, now and at its peak since the last call [MB]. */
function memory(pid: number): { now: number; peak: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
    const found = { now: of('VmRSS'), peak: of('VmHWM') }
    // Makes the present size the peak.
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
    return found
  } catch {
    return { now: Number.NaN, peak: Number.NaN }
  }
}
