/** The folder of a run: configuration, log, history, states and results of one stage. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { z } from 'zod'
import { UserError } from '../base/errors.js'
import { recoverFolder, replaceFile } from '../base/files.js'
import { withCurrentNames } from '../base/formerNames.js'
import { atEnd } from '../base/processes/ending.js'
import { isOfLock, Lock, requireUnlocked } from '../base/processes/lock.js'
import { hasResults, isList, moveAside, settleRun } from '../base/replaced.js'
import { runStage } from '../base/runStage.js'
import { type InputOptions, inputsFile, RunInputs } from './runInputs.js'

export interface RunOptions extends InputOptions {
  stage: string
  config: Record<string, unknown>
  /** Of the configuration: fills in options that the version lacked which began a run. */
  schema?: z.ZodType<Record<string, unknown>>
  /** Continue an earlier run in the folder; start a new one if there is none. */
  resume?: boolean
  /** Replace an earlier run: it is kept until the new one has a state or results. */
  overwrite?: boolean
  /** The stage may run again in the same folder, with any configuration, and updates its results. */
  repeatable?: boolean
  /** Only estimate the cost of the run; `out` is not touched. */
  dry?: boolean
}

/** Options that may change when a run is resumed, because they do not change its result. */
export const resumable = new Set([
  'engine',
  'device',
  'data.cache',
  'data.cacheLimit',
  'train.workers',
  'train.maxTime',
])

/** A run folder that this process has locked. Close it when the run has ended. */
export class RunFolder {
  /** What the run has read. */
  inputs!: RunInputs
  private readonly ending = atEnd(() => this.close(false))

  private constructor(
    readonly path: string,
    /** Whether it contained no run, and whether it existed. */
    private readonly found: { isNew: boolean; wasThere: boolean },
    private readonly lock: Lock,
  ) {}

  /**
   * Opens the folder `out`: makes it, or continues or replaces the run in it.
   * @throws UserError `folder-locked`, `run-exists`, `run-differs`, `inputs-changed`, `out-no-run`: see `Run.with`.
   */
  static async open(options: RunOptions): Promise<RunFolder> {
    const { out } = options
    const wasThere = existsSync(out)
    const lock = Lock.folder(out)
    const folder = new RunFolder(out, { isNew: contentOf(out).every(isList), wasThere }, lock)
    try {
      settleRun(out)
      await folder.begin(options)
      return folder
    } catch (error) {
      folder.close(true)
      throw error
    }
  }

  private async begin(options: RunOptions): Promise<void> {
    const { stage, config, overwrite, repeatable } = options
    const file = join(this.path, 'config.yaml')
    if (overwrite) {
      requireRun(this.path)
      if (!contentOf(this.path).every(isList)) moveAside(this.path)
    }
    if (existsSync(file) && !repeatable) requireSameRun(file, options)
    const isFinished = !repeatable && finishedIn(join(this.path, 'metrics.json')) !== undefined
    this.inputs = await RunInputs.open(options, isFinished)
    this.writeConfig = () => replaceFile(file, (temporary) => writeFileSync(temporary, stringify({ stage, ...config })))
    // A configuration with results describes these until there are others.
    if (!(repeatable && existsSync(file))) await this.writeConfig()
    for (const folder of ['checkpoint', 'last']) recoverFolder(join(this.path, folder))
    // What a run that was killed had not finished.
    for (const name of contentOf(this.path)) {
      if (/^(spill|temporary)$|\.part$/.test(name)) rmSync(join(this.path, name), { recursive: true, force: true })
    }
  }

  private writeConfig = async () => {}

  /** The run has a state: it is worth more than the run that it replaces, which is removed. */
  saved(): void {
    settleRun(this.path)
  }

  /** Records the results, which `write` writes last: they mark the run as finished. */
  async finish(write: () => Promise<void>): Promise<void> {
    await this.writeConfig()
    await write()
    settleRun(this.path)
  }

  /**
   * Unlocks the folder. A run that the new one should replace is put back unless that has a state or results. After a
   * mistake of the user before that a new folder is removed, except for lists of what is wrong with the data. Returns
   * whether the earlier run was put back.
   */
  close(isMistake: boolean): boolean {
    this.ending[Symbol.dispose]()
    const isBack = this.putBack()
    const isRemoved = isMistake && this.found.isNew && !hasResults(this.path)
    if (isRemoved) removeContent(this.path)
    this.lock.release()
    if (isRemoved && !this.found.wasThere) removeIfEmpty(this.path)
    return isBack
  }

  private putBack(): boolean {
    try {
      return settleRun(this.path)
    } catch {
      // The error that ended the run is most likely of the same cause. The next start tries again.
      return false
    }
  }
}

/** What is in a run folder, without its lock. */
const contentOf = (folder: string) => readdirSync(folder).filter((name) => !isOfLock(name))

function removeContent(folder: string): void {
  for (const name of contentOf(folder)) {
    if (!isList(name)) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // It has lists, or another process has begun a run in it.
  }
}

/** What the stages write into a run folder. */
const written = [
  ...['config.yaml', inputsFile, 'log.jsonl', 'history.parquet', 'metrics.json', 'report.html', 'precision.json'],
  ...['predictions.parquet', 'checkpoint', 'last', 'onnx', 'spill', 'temporary', 'work'],
  ...['embeddings', 'table', 'tables', 'part', 'shards'],
]
/** Of file managers, which leave them in each folder that they show. */
const ofSystem = ['.DS_Store', 'Thumbs.db', 'desktop.ini']

/**
 * Checks that a folder holds a run and nothing else, so that nothing of the user is removed with it, and that no process
 * works on a part of it.
 * @throws UserError `out-no-run`, `folder-locked`
 */
function requireRun(folder: string): void {
  for (const shard of shardsIn(folder)) requireUnlocked(shard)
  const names = contentOf(folder)
  if (names.every(isList)) return
  const remedy = 'choose another --out, or remove it yourself'
  if (!stages.includes(runStage(folder) ?? '')) {
    const what = existsSync(join(folder, 'config.yaml'))
      ? `${folder} has a config.yaml that names no stage: it is not a run folder`
      : `${folder} has files but no config.yaml: it is not a run folder`
    throw new UserError({ id: 'out-no-run', what, remedy })
  }
  const foreign = names.filter((name) => !isList(name) && ![...written, ...ofSystem].includes(withoutSuffix(name)))
  if (foreign.length === 0) return
  const list = foreign.slice(0, 5).join(', ') + (foreign.length > 5 ? ` and ${foreign.length - 5} more` : '')
  throw new UserError({ id: 'out-no-run', what: `${folder} has files that are not of the run: ${list}`, remedy })
}

/** The run folders of the shards of an extraction. */
function shardsIn(folder: string): string[] {
  const shards = join(folder, 'shards')
  return existsSync(shards) ? readdirSync(shards).map((name) => join(shards, name)) : []
}

const stages = ['pretrain', 'sft', 'embed', 'ctr']

/** The name without what is added while a file or folder is replaced. */
const withoutSuffix = (name: string) => name.replace(/\.(part(-\d+)?|old)$/, '')

function requireSameRun(configFile: string, { out, stage, config, schema, resume }: RunOptions): void {
  if (!resume) {
    const remedy = 'add --resume to continue it, --overwrite to replace it, or choose another --out'
    throw new UserError({ id: 'run-exists', what: `${out} already contains a run`, remedy })
  }
  const all = differences({ stage, ...config }, savedConfig(configFile, schema))
  const changes = all.filter(({ path }) => !resumable.has(path))
  if (changes.length === 0) return
  const list = changes.map(({ path, now, was }) => `${path} is ${JSON.stringify(now)}, was ${JSON.stringify(was)}`)
  const remedy = 'resume with the same configuration, or choose another --out'
  throw new UserError({ id: 'run-differs', what: `${out}: ${list.join('; ')}`, remedy })
}

/** The configuration that a run began with, complete with the defaults of later options. */
export function savedConfig(file: string, schema: RunOptions['schema']): Record<string, unknown> {
  const { stage, ...saved } = withCurrentNames(
    parse(readFileSync(file, 'utf8'), { logLevel: 'error' }) as Record<string, unknown>,
  )
  const completed = schema?.safeParse(saved)
  return { stage, ...(completed?.success ? completed.data : saved) }
}

/** Options that runs of earlier versions lack are null; the unit of times was microseconds where it is inferred now. */
function isSame(path: string, now: unknown, was: unknown): boolean {
  if (path === 'data.timeUnit' && now === 'auto' && was === 'us') return true
  return JSON.stringify(now ?? null) === JSON.stringify(was ?? null)
}

/** The results in a file, unless the run stopped at its time limit. */
export function finishedIn(file: string): Record<string, unknown> | undefined {
  if (!existsSync(file)) return undefined
  const metrics = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  return metrics['stopped'] === 'max-time' ? undefined : metrics
}

/** Paths where two trees of plain values differ. */
export function differences(now: unknown, was: unknown, path = ''): { path: string; now: unknown; was: unknown }[] {
  const isTree = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x)
  if (!isTree(now) || !isTree(was)) return isSame(path, now, was) ? [] : [{ path, now, was }]
  const keys = [...new Set([...Object.keys(now), ...Object.keys(was)])]
  return keys.flatMap((key) => differences(now[key], was[key], path ? `${path}.${key}` : key))
}
