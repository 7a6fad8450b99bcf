/** What a checkpoint was made from, so that it can be made again. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MimConfig } from './model.js'

/** A table that a stage read; rows where they were counted. */
export interface SourceTable {
  table: string
  path: string
  rows?: number
}

/** One stage that weights went through. */
export interface Provenance {
  stage: string
  /** What it started from; null: from scratch. */
  init: string | null
  data: SourceTable[]
  /** SHA-256 of the resolved configuration, which lies in the run folder as config.yaml. */
  config: string
  /** Version of mim, and the git revision of its source where it is a checkout. */
  mim: string
  revision?: string
}

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The checkpoint's own part with one more stage in its provenance. */
export function withProvenance<M extends { mim: MimConfig }>(
  model: M,
  stage: string,
  config: { init: string | null },
  data: SourceTable[],
): M {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const made: Provenance = {
    stage,
    init: config.init,
    data,
    config: createHash('sha256').update(JSON.stringify(config)).digest('hex'),
    mim: version,
    ...revisionOf(root),
  }
  return { ...model, mim: { ...model.mim, provenance: [...(model.mim.provenance ?? []), made] } }
}

function revisionOf(folder: string): { revision?: string } {
  if (!existsSync(join(folder, '.git'))) return {}
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
    return { revision: execFileSync('git', ['rev-parse', 'HEAD'], { cwd: folder, stdio, encoding: 'utf8' }).trim() }
  } catch {
    // A checkout without git at hand.
    return {}
  }
}
