/** The command line as a person runs it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './fixtures.js'

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs `mim` to its end. */
export async function mim(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [join(root, 'bin/mim'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended: Ended = { code: null, stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (piece: string) => {
      ended[name] += piece
    })
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ended, code }))
  })
}

/** Options as arguments of --set; values are written as JSON, which is YAML. */
export function setArguments(options: Record<string, unknown>): string[] {
  return Object.entries(options).flatMap(([path, value]) => ['--set', `${path}=${JSON.stringify(value)}`])
}

/**
 * Runs a stage that must be refused: exit code 2, one line on standard error with the id, nothing on
 * standard output, and no run folder at `out`. Gives the line.
 */
export async function refusal(args: readonly string[], out: string, id: string): Promise<string> {
  const { code, stdout, stderr } = await mim([...args, '--out', out])
  assert.equal(code, 2, stderr)
  assert.equal(stdout, '')
  assert.match(stderr, new RegExp(`^error \\[${id}\\]: [^\\n]+\\n$`))
  assert.equal(existsSync(out), false, 'a run folder was left')
  return stderr.trimEnd()
}
