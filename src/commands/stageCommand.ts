/** What the commands of all stages share. */
import type { z } from 'zod'
import { requireFolderApart } from '../base/apart.js'
import { UserError } from '../base/errors.js'
import { checkFolder, checkTemporary } from '../base/places.js'
import { requireStage } from '../base/runStage.js'
import { loadConfig } from '../config/load.js'
import { shapeOf } from '../config/schemaTree.js'
import type { RunInput } from '../data/fingerprint/inputs.js'
import { inputsOf } from '../data/inputs.js'
import { engineNames } from '../engine/index.js'
import { splitName } from '../metrics/index.js'
import { shown } from '../report/text.js'
import { type Metrics, Run } from '../train/run.js'
import type { OptionsOf, stage, trainingStage } from './options.js'

/** Values of the options that every stage has, and of those that only training stages have. */
type StageFlags = OptionsOf<typeof stage> & Partial<OptionsOf<typeof trainingStage>>

interface StageOptions<C> {
  /** As in `RunOptions`. */
  repeatable?: boolean
  /** What the run reads and remembers. */
  inputs?: (config: C) => RunInput[]
}

/** Loads the configuration, opens the run folder, runs the stage unless it is finished, and prints its results. */
export async function runStage<S extends z.ZodType<Record<string, unknown>>>(
  stage: string,
  schema: S,
  flags: StageFlags,
  own: Record<string, unknown>,
  work: (config: z.output<S>, run: Run) => Promise<Metrics>,
  { repeatable = false, inputs }: StageOptions<z.output<S>> = {},
): Promise<void> {
  const { out, resume, overwrite, acceptChanged, dryRun: dry } = flags
  if (acceptChanged && !resume) {
    throw new UserError({ id: 'option-conflict', what: '--accept-changed without --resume', remedy: 'add --resume' })
  }
  const config = configOf(stage, schema, flags, own)
  checkPlaces(dry ? undefined : out, config)
  if (!dry && !overwrite) requireStage(out, [stage], '--out')
  const options = { out, stage, config, schema, resume, overwrite, repeatable, dry, acceptChanged }
  const metrics = await Run.with({ ...options, inputs: inputs?.(config) }, async (run) => {
    if (run.finished) {
      run.say(`${out} is finished; nothing to do`)
      return run.finished
    }
    const results = await run.finish(await work(config, run))
    return dry ? run.cost() : results
  })
  print(metrics, flags.json)
}

/**
 * Checks the places that a stage writes to before it reads anything.
 * @throws UserError of `placeError`, which names the option; `out-input` if an input is in the folder `out`.
 */
export function checkPlaces(out: string | undefined, config: Record<string, unknown>): void {
  if (out !== undefined) {
    checkFolder(out, '--out')
    requireFolderApart(out, '--out', inputsOf(config))
  }
  const { cache } = (config['data'] ?? {}) as { cache?: string }
  if (cache !== undefined) checkFolder(cache, 'data.cache')
  // TensorFlow loads programs from temporary files.
  if (out === undefined || ('engine' in config && config['engine'] !== 'wasm')) checkTemporary()
}

/** The configuration from files, --set and options; `own` holds the options of the stage itself by path. */
export function configOf<S extends z.ZodType<Record<string, unknown>>>(
  stage: string,
  schema: S,
  flags: StageFlags,
  own: Record<string, unknown>,
): z.output<S> {
  return loadConfig(schema, {
    file: flags.config,
    stage,
    sets: flags.set,
    flags: {
      'data.root': flags.data,
      seed: flags.seed,
      ...('engine' in shapeOf(schema) ? { engine: flags.engine ?? environmentEngine(), device: flags.device } : {}),
      'train.maxTime': flags.maxTime,
      ...own,
    },
  })
}

/**
 * The engine in MIM_ENGINE, if it is set.
 * @throws UserError `engine-name`
 */
export function environmentEngine(): string | undefined {
  const name = process.env['MIM_ENGINE']
  if (!name) return undefined
  if (engineNames.some((known) => known === name)) return name
  throw new UserError({ id: 'engine-name', where: 'MIM_ENGINE', what: `'${name}'`, expected: engineNames.join(', ') })
}

/** Writes results to standard output: one JSON object, or one line each; before and after share a line. */
export function print(metrics: Metrics, json = false): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(metrics)}\n`)
    return
  }
  const entries = Object.entries(metrics).filter(([, value]) => typeof value !== 'object')
  const [compared, single]: string[][][] = [[], []]
  for (const [name, value] of entries) {
    const { variant, metric } = splitName(name)
    const before = `before_${metric}`
    if (variant === 'after' && before in metrics) compared.push([metric, shown(metrics[before]), shown(value)])
    else if (variant !== 'before' || !(`after_${metric}` in metrics)) single.push([name, shown(value)])
  }
  const rows = compared.length > 0 ? [['', 'before', 'after'], ...compared, ...single] : single
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, ...values] of rows) {
    const cells = values.length > 1 ? values.map((value) => value.padStart(9)) : values
    process.stdout.write(`${name.padEnd(width)}  ${cells.join(' ')}\n`)
  }
}
