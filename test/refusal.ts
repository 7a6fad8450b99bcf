import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { main } from '../src/cli.js'

/** Options as arguments of --set; values are written as JSON, which is YAML. */
export function setArguments(options: Record<string, unknown>): string[] {
  return Object.entries(options).flatMap(([path, value]) => ['--set', `${path}=${JSON.stringify(value)}`])
}

/**
 * Runs a stage that must be refused: exit code 2, one line on standard error with the id, and no run folder at `out`.
 * Gives the line. It runs in this process, because to load `mim` takes longer than to refuse.
 */
export function refusal(args: readonly string[], out: string, id: string): Promise<string> {
  // One after the other: they share standard error and the exit code.
  const line = last.catch(() => {}).then(() => refuse(args, out, id))
  last = line
  return line
}

let last: Promise<unknown> = Promise.resolve()

async function refuse(args: readonly string[], out: string, id: string): Promise<string> {
  const { write } = process.stderr
  let stderr = ''
  process.stderr.write = (text: string | Uint8Array) => {
    stderr += text
    return true
  }
  let code: typeof process.exitCode
  try {
    await main(['node', 'mim', ...args, '--out', out])
    code = process.exitCode
  } finally {
    process.exitCode = undefined
    process.stderr.write = write
  }
  assert.equal(code, 2, stderr)
  assert.match(stderr, new RegExp(`^error \\[${id}\\]: [^\\n]+\\n$`))
  assert.equal(existsSync(out), false, 'a run folder was left')
  return stderr.trimEnd()
}
