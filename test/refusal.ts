import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mim } from './commands/cli.js'

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
