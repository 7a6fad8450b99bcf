/** Folders in which a case runs, and the commands in them. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Ended, start } from '../../commands/cli.js'
import { root } from '../../fixtures.js'
import type { Case } from './commands.js'
import type { Faults, Kind } from './faults.js'
import { assertClose, assertSameFiles } from './results.js'

/** What a case is and what it leaves where nothing disturbs it. */
export interface Undisturbed {
  case_: Case
  place: Place
  /** Standard output of the last command, which is JSON. */
  printed: unknown
  /** Milliseconds of each command, and the calls of each that change the disk. */
  durations: readonly number[]
  calls: readonly (readonly Call[])[]
}

/** A call that changes the disk. */
export interface Call {
  number: number
  kind: Kind
  path: string
}

/** One folder for the commands, one for their temporary files. */
export class Place {
  readonly work: string
  readonly temporary: string

  constructor(
    private readonly folder: string,
    readonly case_: Case,
  ) {
    this.work = join(folder, 'work')
    this.temporary = join(folder, 'temporary')
    for (const path of [this.work, this.temporary]) mkdirSync(path)
  }

  /** Copies what the case finds before it. */
  static async make(folder: string, case_: Case, undisturbed: (name: string) => Promise<Undisturbed>): Promise<Place> {
    const place = new Place(mkdtempSync(join(folder, 'place-')), case_)
    for (const [to, from] of Object.entries(case_.before ?? {})) {
      const [name, path] = from.split('/')
      const source = join((await undisturbed(name)).place.work, path)
      cpSync(source, join(place.work, to), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
    }
    return place
  }

  /** Starts a command of the case, with faults. */
  start(command: number, faults?: Omit<Faults, 'roots' | 'journal'>) {
    const env: NodeJS.ProcessEnv = { MIM_ENGINE: 'wasm', TMPDIR: this.temporary }
    if (faults) {
      for (const path of [this.journal, `${this.journal}.flushed`]) rmSync(path, { recursive: true, force: true })
      const all: Faults = { ...faults, journal: this.journal, roots: [this.work, this.temporary] }
      env['NODE_OPTIONS'] = `--import=${pathToFileURL(join(root, 'dist/test/slow/kills/faults.js'))}`
      env['MIM_FAULTS'] = JSON.stringify(all)
    }
    return start([...this.case_.commands[command], '--json'], env, this.work)
  }

  /** Runs the commands `from` to before `to`, all of which must succeed; gives what the last one prints. */
  async finish(from: number, to = this.case_.commands.length): Promise<unknown> {
    let stdout = ''
    for (let command = from; command < to; command++) {
      const ended = await this.start(command).ended
      stdout = this.printed(ended, command)
    }
    return stdout === '' ? undefined : JSON.parse(stdout)
  }

  /** Runs a command that nothing disturbs. */
  async observe(command: number): Promise<{ printed: unknown; calls: Call[] }> {
    const ended = await this.start(command, {}).ended
    return { printed: JSON.parse(this.printed(ended, command)), calls: this.calls() }
  }

  private printed(ended: Ended, command: number): string {
    assert.equal(ended.code, 0, `command ${command + 1} ended with ${ended.code}: ${lastLines(ended)}`)
    return ended.stdout
  }

  /** The calls in the journal. Asserts their order: content, then name, then the folder of the name. */
  private calls(): Call[] {
    const calls: Call[] = []
    for (const line of readFileSync(this.journal, 'utf8').trim().split('\n')) {
      const [number, kind, path] = line.split('\t')
      assert.notEqual(number, 'unflushed', `${this.case_.name}: got its name before it was flushed: ${kind}`)
      // Logs and the lists of the cache may lack their end after a power cut.
      if (number === 'left') assert.match(kind, /log\.jsonl"$|\/cache\//, `${this.case_.name}: not flushed at the end`)
      else if (number !== 'flushed') calls.push({ number: Number(number), kind: kind as Kind, path: JSON.parse(path) })
    }
    for (const [i, { kind, path }] of calls.entries()) {
      if (kind !== 'rename') continue
      const next = calls.slice(i + 1)
      const until = next.findIndex((call) => ['rename', 'link', 'remove'].includes(call.kind))
      const flushes = next.slice(0, until < 0 ? next.length : until).filter((call) => call.kind === 'flush')
      const isFlushed = flushes.some((flush) => flush.path === dirname(path))
      assert.ok(isFlushed, `${this.case_.name}: the name ${path} was not flushed`)
    }
    return calls
  }

  /** Asserts that what the case left and printed is what it leaves undisturbed, and no temporary file. */
  async assertSame({ place, printed }: Undisturbed, now: unknown): Promise<void> {
    const { ofProcess = [] } = this.case_
    assertClose(now, printed, ofProcess, 'standard output')
    await assertSameFiles(this.work, place.work, ofProcess)
    assert.deepEqual(readdirSync(this.temporary), [], 'files in TMPDIR')
  }

  private get journal(): string {
    return join(this.folder, 'journal')
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export const lastLines = ({ stderr }: Ended) => stderr.trimEnd().split('\n').slice(-3).join(' ⏎ ')

/** Asserts that the command did not end by a mistake of ours. */
export function assertNoTrace(ended: Ended): void {
  assert.doesNotMatch(ended.stderr, /internal error|^ +at .+:\d+/m)
}
