/** Provenance of a checkpoint: what is needed to reproduce it. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resumable } from '../train/runFolder.js'
import type { MimConfig, Provenance, SourceTable } from './folder.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** `model` with one more stage in its provenance. */
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
    config: hashOf(config),
    mim: version,
    ...revisionOf(root),
  }
  return { ...model, mim: { ...model.mim, provenance: [...(model.mim.provenance ?? []), made] } }
}

/** Hash of the options that the result depends on, so that a run that was resumed with other ones of the rest has the same. */
function hashOf(config: object): string {
  const text = JSON.stringify(without(config, [...resumable]))
  return createHash('sha256').update(text).digest('hex')
}

/** `options` without those at the paths. */
function without(options: object, paths: readonly string[]): object {
  const kept = Object.entries(options).filter(([name]) => !paths.includes(name))
  return Object.fromEntries(
    kept.map(([name, value]) => {
      const below = paths.filter((path) => path.startsWith(`${name}.`)).map((path) => path.slice(name.length + 1))
      return [name, below.length > 0 && typeof value === 'object' && value ? without(value, below) : value]
    }),
  )
}

function revisionOf(folder: string): { revision?: string } {
  if (!existsSync(join(folder, '.git'))) return {}
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
    return { revision: execFileSync('git', ['rev-parse', 'HEAD'], { cwd: folder, stdio, encoding: 'utf8' }).trim() }
  } catch {
    // A checkout, but git is not installed.
    return {}
  }
}
