/** The folder of a run: configuration, log, history, states and results of one stage. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { z } from 'zod'
import { UserError } from '../base/errors.js'
import { recoverFolder, replaceFile } from '../base/files.js'
import { withCurrentNames } from '../base/formerNames.js'
import { isOfLock, Lock } from '../base/processes/lock.js'
import { runStage } from '../base/runStage.js'
import { type InputOptions, inputsFile, RunInputs } from './runInputs.js'

export interface RunOptions extends InputOptions {
  stage: string
  config: Record<string, unknown>
  /** Of the configuration: fills in options that the version lacked which began a run. */
  schema?: z.ZodType<Record<string, unknown>>
  /** Continue an earlier run in the folder; start a new one if there is none. */
  resume?: boolean
  /** Remove an earlier run first. */
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

  private constructor(
    readonly path: string,
    /** Whether it contained no run, and no list that an error referred to. */
    private readonly isNew: boolean,
    private readonly wasThere: boolean,
    private readonly lock: Lock,
  ) {}

  /**
   * Opens the folder `out`: makes it, or continues or replaces the run in it.
   * @throws UserError `folder-locked`, `run-exists`, `run-differs`, `inputs-changed`, `out-no-run`: see `Run.with`.
   */
  static async open(options: RunOptions): Promise<RunFolder> {
    const wasThere = existsSync(options.out)
    const lock = Lock.folder(options.out)
    const folder = new RunFolder(options.out, isNew(options.out), wasThere, lock)
    try {
      folder.inputs = await openFolder(options)
      return folder
    } catch (error) {
      folder.close(true)
      throw error
    }
  }

  /**
   * Unlocks the folder. After a mistake of the user before anything was trained a new folder is removed, except for lists
   * of what is wrong with the data.
   */
  close(isMistake: boolean): void {
    // Once there is a state or a model the folder is worth keeping, whatever the mistake.
    const isEmpty = !['last', 'checkpoint'].some((name) => existsSync(join(this.path, name)))
    const isRemoved = isMistake && this.isNew && isEmpty
    if (isRemoved)
      for (const name of contentOf(this.path))
        if (!isList(name)) rmSync(join(this.path, name), { recursive: true, force: true })
    this.lock.release()
    if (isRemoved && !this.wasThere) removeIfEmpty(this.path)
  }
}

async function openFolder(options: RunOptions): Promise<RunInputs> {
  const { out, stage, config, overwrite, repeatable } = options
  const configFile = join(out, 'config.yaml')
  if (overwrite) {
    requireRun(out)
    for (const name of contentOf(out)) rmSync(join(out, name), { recursive: true })
  }
  if (existsSync(configFile) && !repeatable) requireSameRun(configFile, options)
  const isFinished = !repeatable && finishedIn(join(out, 'metrics.json')) !== undefined
  const inputs = await RunInputs.open(options, isFinished)
  await replaceFile(configFile, (temporary) => writeFileSync(temporary, stringify({ stage, ...config })))
  for (const folder of ['checkpoint', 'last']) recoverFolder(join(out, folder))
  return inputs
}

/** What is in a run folder, without its lock. */
const contentOf = (folder: string) => readdirSync(folder).filter((name) => !isOfLock(name))

/** What the stages write into a run folder. */
const written = [
  ...['config.yaml', inputsFile, 'log.jsonl', 'history.parquet', 'metrics.json', 'report.html', 'precision.json'],
  ...['predictions.parquet', 'checkpoint', 'last', 'onnx', 'spill', 'temporary', 'work'],
  ...['embeddings', 'table', 'tables', 'part', 'shards'],
]
/** Of file managers, which leave them in each folder that they show. */
const ofSystem = ['.DS_Store', 'Thumbs.db', 'desktop.ini']

/**
 * Checks that a folder holds a run and nothing else, so that nothing of the user is removed with it.
 * @throws UserError `out-no-run`
 */
function requireRun(folder: string): void {
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
  const { stage, ...saved } = withCurrentNames(parse(readFileSync(file, 'utf8')) as Record<string, unknown>)
  const completed = schema?.safeParse(saved)
  return { stage, ...(completed?.success ? completed.data : saved) }
}

/** Options that runs of earlier versions lack are null; the unit of times was microseconds where it is inferred now. */
function isSame(path: string, now: unknown, was: unknown): boolean {
  if (path === 'data.timeUnit' && now === 'auto' && was === 'us') return true
  return JSON.stringify(now ?? null) === JSON.stringify(was ?? null)
}

/** Lists that errors refer to, e.g. `rejected.parquet`. */
const isList = (name: string) => /^rejected\w*\.parquet$/.test(name)

const isNew = (folder: string) => contentOf(folder).every(isList)

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // It has lists, or another process has begun a run in it.
  }
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
