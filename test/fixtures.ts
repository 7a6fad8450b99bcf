import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Root of the repository; compiled tests run from dist/test. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Files next to the repository that are not part of it; tests that need them are skipped without, with the reason. */
const shared = process.env['MIM_SHARED'] ?? `${root}../shared`

/** Path of something in the shared folder, and the reason to skip where it is absent. */
export function sharedFile(path: string): { path: string; skip: string | false } {
  const full = `${shared}/${path}`
  return { path: full, skip: existsSync(full) ? false : `${path} is not at hand (looked in ${shared})` }
}

/** A Python that has `module`, or the reason to skip; such tests open our files with another reader. */
export function pythonWith(module: string): {
  run: (script: string, ...args: string[]) => string
  skip: string | false
} {
  const python = process.env['MIM_PEER_PYTHON']
  const run = (script: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(python!, ['-c', script, ...args], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return stdout
  }
  if (!python) return { run, skip: `MIM_PEER_PYTHON names no Python with ${module}` }
  const { status } = spawnSync(python, ['-c', `import ${module}`])
  return { run, skip: status === 0 ? false : `${python} has no ${module}` }
}
