/** What commands leave outside the folders that they were given. */
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { mim } from '../commands/cli.js'

/** Environment variables of the places where programs leave files unasked. */
const variables = ['HOME', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'TMPDIR']

/** Runs commands in an empty home, cache, temporary and working folder; all of them lie in `folder`. */
export class Traces {
  private readonly places: string[]
  private readonly env: Record<string, string>

  constructor(private readonly folder: string) {
    this.places = [...variables, 'cwd'].map((name) => join(folder, name))
    for (const place of this.places) mkdirSync(place, { recursive: true })
    this.env = Object.fromEntries(variables.map((name) => [name, join(folder, name)]))
  }

  /** Runs `mim` in the working folder. @throws Error if it fails. */
  async run(args: readonly string[], env: Record<string, string> = {}): Promise<void> {
    const { code, stderr } = await mim(args, { ...this.env, ...env }, join(this.folder, 'cwd'))
    if (code !== 0) throw new Error(`mim ${args.join(' ')} ended with ${code}: ${stderr}`)
  }

  /** Files in these places, without those that `allowed` names. */
  left(allowed: RegExp = /^$/): string[] {
    const all = this.places.flatMap((place) =>
      (readdirSync(place, { recursive: true }) as string[]).map((name) => join(place, name)),
    )
    const files = all.filter((path) => !statSync(path).isDirectory()).map((path) => path.slice(this.folder.length + 1))
    return files.filter((path) => !allowed.test(path))
  }
}
