import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Root of the repository; compiled tests run from dist/test. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Files that lie beside the repository and are not part of it; tests that need them say so when they skip. */
const shared = process.env['MIM_SHARED'] ?? `${root}../shared`

/** Path of something in the shared folder, and the reason to skip where it is absent. */
export function sharedFile(path: string): { path: string; skip: string | false } {
  const full = `${shared}/${path}`
  return { path: full, skip: existsSync(full) ? false : `${path} is not at hand (looked in ${shared})` }
}
