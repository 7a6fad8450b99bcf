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

export function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd?: string,
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(root, 'bin/mim'), ...args], {
    env: { ...process.env, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
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

/** Runs `mim` to its end, in the folder `cwd`. */
export function mim(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Ended> {
  return start(args, env, cwd).ended
}

/** Runs `mim` where it must succeed; gives the object that --json prints. */
export async function mimJson(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await mim([...args, '--json'], env)
  if (code !== 0) throw new Error(`mim ${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}

/** Runs `mim` and sends `signal` as soon as `ready`. */
export async function mimUntil(args: readonly string[], ready: () => boolean, signal: NodeJS.Signals): Promise<Ended> {
  const { child, ended } = start(args, {})
  while (child.exitCode === null && !ready()) await pause(1)
  child.kill(signal)
  return ended
}
