/** Tunes options of the click model: one trial after another, each sampled by the results of the earlier ones. */
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { secondsIn } from '../base/duration.js'
import { Interrupted, messageOf, UserError } from '../base/errors.js'
import { replaceFile, writeJson } from '../base/files.js'
import { Lock } from '../base/processes/lock.js'
import { Random } from '../base/random.js'
import type { CtrConfig } from '../config/ctr.js'
import type { TuneConfig } from '../config/tune.js'
import { metricOf } from '../metrics/index.js'
import { four, markdown } from '../report/index.js'
import { earlierTrial, requireSameQuestion, type Trial, trialFile, trialFolder } from './earlierTrials.js'
import { drawAnywhere, drawLikely, type Values } from './sampler.js'
import { runTrial, type TrialFlags, trialConfig } from './trial.js'

export interface Tuning {
  metric: TuneConfig['metric']
  /** Absent if no trial succeeded. */
  best?: Trial
  trials: Trial[]
}

/**
 * Runs trials in folders below `out` up to their number or the time limit; finished trials are reused. Writes
 * tune.json, tune.md and best.yaml: the best trial, as a file for `mim ctr --config`.
 * @throws UserError `folder-locked`, `tune-differs` if the trials in `out` answer another question, `trial-foreign`, and
 * the errors of `mim ctr` about configuration and data; a trial that diverges, or has no finite metric, counts as failed.
 */
export async function tune(
  config: TuneConfig,
  out: string,
  flags: TrialFlags,
  say: (line: string) => void,
): Promise<Tuning> {
  const started = performance.now()
  const limit = config.time === null ? Number.POSITIVE_INFINITY : 1000 * secondsIn(config.time)
  const { metric } = config
  const trials: Trial[] = []
  const base = { ...config.set, seed: config.seed }
  const ofAll = trialConfig('base configuration', config.config, base, flags)
  using _lock = Lock.folder(out)
  const remember = requireSameQuestion(out, config, ofAll)
  for (let trial = 1; trial <= config.trials; trial++) {
    const name = `trial ${trial}`
    const resolve = (values: Values) =>
      trialConfig(name, config.config, { ...base, ...values, seed: config.seed }, flags)
    const earlier = await earlierTrial(out, trial, config, resolve)
    if (earlier) {
      trials.push(earlier)
      continue
    }
    if (performance.now() - started > limit) {
      say(`stopped after ${trials.length} of ${config.trials} trials: time limit of ${config.time} reached`)
      break
    }
    const values = draw(config, trials, trial)
    say(`trial ${trial} of ${config.trials}: ${shown(values)}`)
    const resolved = resolve(values)
    await remember()
    const done = await attempt(resolved, { trial, values }, metric, out)
    await writeJson(trialFile(out, trial), done)
    trials.push(done)
    say(`trial ${trial}: ${done.value === null ? `failed: ${done.failed}` : `${metric} ${four(done.value)}`}`)
  }
  const ordered = trials.filter(({ value }) => value !== null).sort((a, b) => loss(metric, a) - loss(metric, b))
  const result: Tuning = { metric, best: ordered[0], trials }
  await writeJson(join(out, 'tune.json'), result)
  await replaceFile(join(out, 'tune.md'), (temporary) => writeFileSync(temporary, tuneTable(result)))
  if (result.best) {
    const configFile = join(trialFolder(out, result.best.trial), 'run', 'config.yaml')
    await replaceFile(join(out, 'best.yaml'), (temporary) => copyFileSync(configFile, temporary))
  }
  return result
}

const loss = (metric: TuneConfig['metric'], { value }: Trial) =>
  value === null ? Number.POSITIVE_INFINITY : metricOf(metric)!.better === 'less' ? value : -value

/** The values of a trial depend on the seed, its number and the results of the trials before it. */
function draw({ ranges, sampler, startup, seed, metric }: TuneConfig, before: readonly Trial[], trial: number): Values {
  const random = Random.of(seed, 'trial', trial)
  if (sampler === 'random' || before.length < startup) return drawAnywhere(ranges, random)
  const seen = before.map((each) => ({ values: each.values, loss: loss(metric, each) }))
  return drawLikely(ranges, seen, random)
}

async function attempt(
  config: CtrConfig,
  { trial, values }: Pick<Trial, 'trial' | 'values'>,
  metric: TuneConfig['metric'],
  out: string,
): Promise<Trial> {
  try {
    const metrics = await runTrial(join(trialFolder(out, trial), 'run'), config, `mim ctr tune … --out ${out}`)
    const value = metrics[metric]
    if (typeof value === 'number' && Number.isFinite(value)) return { trial, values, value }
    // Nothing can be ranked by it.
    return { trial, values, value: null, failed: `${metric} is ${value ?? 'missing'}` }
  } catch (error) {
    const isDiverged = error instanceof UserError && error.id === 'diverged'
    if (!isDiverged && (error instanceof UserError || error instanceof Interrupted)) throw error
    return { trial, values, value: null, failed: messageOf(error) }
  }
}

const shown = (values: Values) =>
  Object.entries(values)
    .map(
      ([path, value]) => `${path} ${typeof value === 'number' ? Number(value.toPrecision(4)) : JSON.stringify(value)}`,
    )
    .join(', ')

/** The trials as a Markdown table, best first. */
export function tuneTable({ metric, trials }: Tuning): string {
  const ordered = [...trials].sort((a, b) => loss(metric, a) - loss(metric, b))
  const body = ordered.map(({ trial, values, value }) => [String(trial), four(value ?? Number.NaN), shown(values)])
  return markdown([['trial', metric, 'options'], ...body])
}
