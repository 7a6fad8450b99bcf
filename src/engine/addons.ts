/** The native addons of TensorFlow, which bin/setup-tensorflow installs. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { UserError } from '../base/errors.js'

const require = createRequire(import.meta.url)

export const addonFolder = () =>
  join(dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json')), 'lib', 'napi-v8')

/** What was installed: the libraries of TensorFlow, and the hash of each addon. Empty for the published binary. */
export interface InstalledAddons {
  source?: string
  sha256?: Record<string, string>
}

/** @throws UserError `addon-damaged` if the record cannot be read */
export function installedAddons(folder = addonFolder()): InstalledAddons {
  const path = join(folder, 'source.json')
  if (!existsSync(path)) return {}
  try {
    const read: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof read === 'object' && read !== null) return read
  } catch {
    // The error below says the same of a text that is no object.
  }
  throw damaged(path)
}

/**
 * Checks the addons before they are loaded: a file that was cut short ends the process without a message.
 * @throws UserError `addon-damaged` for one that is not as it was installed
 */
export function checkAddons(folder = addonFolder()): void {
  for (const [name, hash] of Object.entries(installedAddons(folder).sha256 ?? {})) {
    const path = join(folder, name)
    // Set-up removes optional addons that do not work.
    if (existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') !== hash) throw damaged(path)
  }
}

const damaged = (path: string) =>
  new UserError({ id: 'addon-damaged', where: path, what: 'this file is damaged', remedy: 'run bin/setup-tensorflow' })
