/** Reads what a run has logged. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { z } from 'zod'
import { requireFile } from '../base/ownFile.js'
import type { Warning } from '../base/warning.js'

const logged = z.object({
  warning: z.object({
    id: z.string(),
    what: z.string(),
    where: z.string().optional(),
    remedy: z.string().optional(),
  }),
})

/**
 * The warnings in a `log.jsonl`, each once; none if there is no such file. Lines that are spoilt, such as the last one
 * of a killed run, are left out.
 * @throws UserError `file-broken` for what is no file, because logging into it would wait forever.
 */
export function loggedWarnings(file: string): Warning[] {
  if (!existsSync(file)) return []
  requireFile(file, { remedy: 'remove it and continue with --resume' }, Number.POSITIVE_INFINITY)
  const found = new Map<string, Warning>()
  for (const line of linesOf(file)) {
    // Most lines are of steps.
    if (!line.includes('"warning":')) continue
    const warning = warningOf(line)
    if (warning) found.set(JSON.stringify(warning), warning)
  }
  return [...found.values()]
}

function warningOf(line: string): Warning | undefined {
  try {
    return logged.safeParse(JSON.parse(line)).data?.warning
  } catch {
    return undefined
  }
}

/** Bytes read at a time. Longer lines are no lines of a log. */
const pieceBytes = 2 ** 20

/** The lines of a file of any size. */
function* linesOf(path: string): Generator<string> {
  const file = openSync(path, 'r')
  try {
    const piece = Buffer.alloc(pieceBytes)
    let rest = ''
    for (let size = readSync(file, piece); size > 0; size = readSync(file, piece)) {
      // Bytes are kept as they are: a character may be in two pieces.
      const lines = (rest + piece.toString('latin1', 0, size)).split('\n')
      rest = lines.pop()!
      for (const line of lines) yield Buffer.from(line, 'latin1').toString('utf8')
      if (rest.length > pieceBytes) rest = ''
    }
    yield Buffer.from(rest, 'latin1').toString('utf8')
  } finally {
    closeSync(file)
  }
}
