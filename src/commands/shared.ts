/** What the commands of all stages have in common. */
import type { z } from 'zod'
import { loadConfig, shapeOf } from '../config/load.js'
import { engineNames } from '../engine/index.js'
import { UserError } from '../errors.js'
import { type Metrics, Run } from '../train/run.js'

/** Values of the options that every stage has. */
export interface StageFlags {
  config?: string
  set: string[]
  data?: string
  out: string
  resume?: boolean
  overwrite?: boolean
  seed?: number
  engine?: string
  device?: string
  json?: boolean
}

/** Resolves the configuration, opens the run folder, runs the stage (or finds it finished) and prints its results. */
export async function runStage<S extends z.ZodType<Record<string, unknown>>>(
  stage: string,
  schema: S,
  flags: StageFlags,
  own: Record<string, unknown>,
  work: (config: z.output<S>, run: Run) => Promise<Metrics>,
  { repeatable = false } = {},
): Promise<void> {
  const config = loadConfig(schema, {
    file: flags.config,
    sets: flags.set,
    flags: {
      'data.root': flags.data,
      seed: flags.seed,
      ...('engine' in shapeOf(schema) ? { engine: flags.engine ?? environmentEngine(), device: flags.device } : {}),
      ...own,
    },
  })
  const { out, resume, overwrite } = flags
  const metrics = await Run.with({ out, stage, config, resume, overwrite, repeatable }, async (run) => {
    if (run.finished) {
      run.say(`${out} is finished; nothing to do`)
      return run.finished
    }
    const results = await work(config, run)
    await run.finish(results)
    return results
  })
  print(metrics, flags.json)
}

/** The engine that MIM_ENGINE names, if it is set. */
function environmentEngine(): string | undefined {
  const name = process.env['MIM_ENGINE']
  if (!name) return undefined
  if (engineNames.some((known) => known === name)) return name
  throw new UserError({ id: 'engine-name', where: 'MIM_ENGINE', what: `'${name}'`, expected: engineNames.join(', ') })
}

/** Results on standard output: one JSON object, or a line each. */
export function print(metrics: Metrics, json = false): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(metrics)}\n`)
    return
  }
  const entries = Object.entries(metrics).filter(([, value]) => typeof value !== 'object')
  const width = Math.max(...entries.map(([name]) => name.length))
  for (const [name, value] of entries) {
    const text = typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(4) : String(value)
    process.stdout.write(`${name.padEnd(width)}  ${text}\n`)
  }
}
