/** Reads what a run has logged. */
import { existsSync, readFileSync } from 'node:fs'
import type { Warning } from '../base/warning.js'

/** The warnings in a `log.jsonl`, each once; none if there is no such file. */
export function loggedWarnings(file: string): Warning[] {
  if (!existsSync(file)) return []
  const found = new Map<string, Warning>()
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    // Most lines are of steps, and the last one may be torn.
    if (!line.includes('"warning":')) continue
    const warning = warningOf(line)
    if (warning) found.set(JSON.stringify(warning), warning)
  }
  return [...found.values()]
}

function warningOf(line: string): Warning | undefined {
  try {
    return (JSON.parse(line) as { warning?: Warning }).warning
  } catch {
    return undefined
  }
}
