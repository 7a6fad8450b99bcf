/** The trials of earlier calls of a tuning: they are reused only if they answer the same question. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../base/errors.js'
import { writeJson } from '../base/files.js'
import { readJson } from '../base/ownFile.js'
import { type CtrConfig, ctrConfig } from '../config/ctr.js'
import type { Range, TuneConfig } from '../config/tune.js'
import { ctrInputs } from '../stages/shared/inputs.js'
import { differences, resumable, savedConfig } from '../train/runFolder.js'
import { requireSameInputs } from '../train/runInputs.js'
import type { Values } from './sampler.js'

const trialShape = z.object({
  trial: z.number(),
  values: z.record(z.string(), z.unknown()),
  value: z.number().nullable(),
  failed: z.string().optional(),
})

export type Trial = z.output<typeof trialShape>

export const trialFolder = (out: string, trial: number) => join(out, 'trials', String(trial).padStart(4, '0'))
export const trialFile = (out: string, trial: number) => join(trialFolder(out, trial), 'trial.json')

/** File with the question of a tuning: all that its trials depend on, except their number and the time limit. */
const questionFile = 'question.json'

/**
 * Compares the question with the one that the trials in `out` answer; `base` is the configuration that all trials start
 * from. Returns a function that remembers it.
 * @throws UserError `tune-differs`, `tune-broken`
 */
export function requireSameQuestion(out: string, config: TuneConfig, base: CtrConfig): () => Promise<void> {
  const { metric, ranges, sampler, startup, seed } = config
  const now = { metric, sampler, startup, seed, ranges, base }
  const changes = hasTrials(out) ? differences(now, { ...now, ...savedQuestion(out) }) : []
  const counted = changes.filter(({ path }) => !ignored.has(path))
  if (counted.length > 0) {
    const list = counted.map(({ path, now, was }) => `${path} is ${text(now)}, was ${text(was)}`)
    const remedy = 'tune with the same options (more trials and another time are allowed), or choose another --out'
    throw new UserError({ id: 'tune-differs', what: `${out}: ${list.join('; ')}`, remedy })
  }
  return () => writeJson(join(out, questionFile), now)
}

/** As for a run, but a trial that has reached its time limit is not continued. */
const ignored = new Set([...resumable].filter((path) => path !== 'train.maxTime').map((path) => `base.${path}`))

const text = (value: unknown) => JSON.stringify(value) ?? 'not given'

/**
 * What is known of the question of the trials in `out`: earlier versions of mim wrote the metric only.
 * @throws UserError `tune-broken`
 */
function savedQuestion(out: string): Record<string, unknown> {
  const file = [questionFile, 'tune.json'].map((name) => join(out, name)).find((path) => existsSync(path))
  if (file === undefined) return {}
  const saved = readJson(file, tree, { id: 'tune-broken', remedy: 'choose another --out' })
  if (!file.endsWith(questionFile)) return { metric: saved['metric'] }
  // With the defaults of options that an earlier version lacked.
  return { ...saved, base: ctrConfig.safeParse(saved['base']).data ?? saved['base'] }
}

const tree = z.record(z.string(), z.unknown())

function hasTrials(out: string): boolean {
  const folder = join(out, 'trials')
  if (!existsSync(folder)) return false
  return readdirSync(folder).some((name) => ['trial.json', 'run'].some((part) => existsSync(join(folder, name, part))))
}

/**
 * The result of a finished trial; undefined if it is not finished. `resolve` gives the configuration of its values.
 * @throws UserError `trial-foreign` if it is no trial of this tuning, `inputs-changed` if its run has read other inputs.
 */
export async function earlierTrial(
  out: string,
  trial: number,
  { ranges, metric }: TuneConfig,
  resolve: (values: Values) => CtrConfig,
): Promise<Trial | undefined> {
  const file = trialFile(out, trial)
  if (!existsSync(file)) return undefined
  const found = parsed(file)
  const run = join(trialFolder(out, trial), 'run')
  const problem = problemOf(found, trial, ranges) ?? problemOfRun(run, found!, metric, resolve)
  const remedy = `remove ${trialFolder(out, trial)} to repeat the trial, or choose another --out`
  if (problem) {
    throw new UserError({
      id: 'trial-foreign',
      where: file,
      what: `this is no trial of this tuning: ${problem}`,
      remedy,
    })
  }
  await requireSameInputs({
    out: run,
    inputs: ctrInputs(resolve(found!.values)),
    changedRemedy: `restore what was there, ${remedy}`,
  })
  return found
}

function parsed(file: string): Trial | undefined {
  try {
    return readJson(file, trialShape, { remedy: '' })
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

function problemOf(found: Trial | undefined, trial: number, ranges: TuneConfig['ranges']): string | undefined {
  if (!found) return 'it lacks number, values or result'
  if (found.trial !== trial) return `it is of trial ${found.trial}`
  const [names, wanted] = [found.values, ranges].map((of) => Object.keys(of).sort().join(', '))
  if (names !== wanted) return `it has values of ${names || 'no option'}, not of ${wanted || 'no option'}`
  const odd = Object.entries(ranges).find(([path, range]) => !isIn(found.values[path], range))
  if (odd) return `${odd[0]} is ${text(found.values[odd[0]])}, out of the range ${JSON.stringify(odd[1])}`
  return found.value === null && found.failed === undefined ? 'it has neither a result nor a failure' : undefined
}

function isIn(value: unknown, range: Range): boolean {
  if ('choice' in range) return range.choice.some((one) => JSON.stringify(one) === JSON.stringify(value))
  const [low, high] = 'int' in range ? range.int : 'log' in range ? range.log : range.uniform
  // Rounding may exceed a bound.
  const slack = 1e-9 * Math.max(Math.abs(low), Math.abs(high))
  return typeof value === 'number' && value >= low - slack && value <= high + slack
}

/** Compares the result with the run that it is of, unless someone has removed the run to save space. */
function problemOfRun(
  run: string,
  { values, value }: Trial,
  metric: TuneConfig['metric'],
  resolve: (values: Values) => CtrConfig,
): string | undefined {
  const config = join(run, 'config.yaml')
  if (existsSync(config)) {
    const all = differences({ stage: 'ctr', ...resolve(values) }, savedConfig(config, ctrConfig))
    const [change] = all.filter(({ path }) => !ignored.has(`base.${path}`))
    if (change) return `${change.path} is ${text(change.now)}, was ${text(change.was)}`
  }
  const results = join(run, 'metrics.json')
  if (value === null || !existsSync(results)) return undefined
  const remedy = 'remove it: mim ctr --resume computes the results of the run again'
  const measured = readJson(results, tree, { remedy })[metric]
  return measured === value ? undefined : `its result is ${value}, but ${metric} of its run is ${text(measured)}`
}
