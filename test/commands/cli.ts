/** The command line as a person runs it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../fixtures.js'

export interface Ended {
  /** null where a signal ended the process. */
  code: number | null
  stdout: string
  stderr: string
}

function start(args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(root, 'bin/mim'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (piece: string) => {
      text[name] += piece
    })
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...text }))
  })
  return { child, ended }
}

/** Runs `mim` to its end. */
export function mim(args: readonly string[]): Promise<Ended> {
  return start(args).ended
}

/** Runs `mim` and sends `signal` as soon as `ready`. */
export async function mimUntil(args: readonly string[], ready: () => boolean, signal: NodeJS.Signals): Promise<Ended> {
  const { child, ended } = start(args)
  while (child.exitCode === null && !ready()) await pause(1)
  child.kill(signal)
  return ended
}
