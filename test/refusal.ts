import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { main } from '../src/cli.js'

/** Options as arguments of --set; values are written as JSON, which is YAML. */
export function setArguments(options: Record<string, unknown>): string[] {
  return Object.entries(options).flatMap(([path, value]) => ['--set', `${path}=${JSON.stringify(value)}`])
}

/**
 * Runs a stage that must be refused: exit code 2, one line on standard error with the id at the end, and no run folder at `out`,
 * or one with the files `left`. Gives the line. It runs in this process, because to load `mim` takes longer than to refuse.
 */
export function refusal(
  args: readonly string[],
  out: string,
  id: string,
  left: readonly string[] = [],
): Promise<string> {
  // One after the other: they share standard error and the exit code.
  const line = last.catch(() => {}).then(() => refuse(args, out, id, left))
  last = line
  return line
}

let last: Promise<unknown> = Promise.resolve()

/** Runs a command in this process. One at a time: they share standard error and the exit code. */
export async function runHere(args: readonly string[]): Promise<{ code: typeof process.exitCode; stderr: string }> {
  const { write } = process.stderr
  let stderr = ''
  process.stderr.write = (text: string | Uint8Array) => {
    stderr += text
    return true
  }
  try {
    await main(['node', 'mim', ...args])
    return { code: process.exitCode, stderr }
  } finally {
    process.exitCode = undefined
    process.stderr.write = write
  }
}

async function refuse(args: readonly string[], out: string, id: string, left: readonly string[]): Promise<string> {
  const { code, stderr } = await runHere([...args, '--out', out])
  assert.equal(code, 2, stderr)
  // Facts of the data and warnings may come first.
  assert.match(stderr, new RegExp(`^(?:data\\n|  [^\\n]*\\n|warning: [^\\n]*\\n)*error \\[${id}\\]: [^\\n]+\\n$`))
  assert.deepEqual(existsSync(out) ? readdirSync(out) : [], left, 'what a refused run leaves')
  assert.equal(existsSync(out), left.length > 0, 'a run folder was left')
  return stderr.trimEnd().split('\n').at(-1)!
}
