/** A run of one stage: what it says, warns of and shows while it works, and its results. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { Interrupted, messageOf, UserError } from '../base/errors.js'
import { replaceFile, writeJson } from '../base/files.js'
import { expectedError, placeError } from '../base/places.js'
import { onInterrupt } from '../base/processes/signals.js'
import { temporaryFolder } from '../base/processes/temporary.js'
import { type Warning, warningText } from '../base/warning.js'
import type { DataFacts } from '../data/facts.js'
import type { Print } from '../data/fingerprint/print.js'
import { type Child, stageReport } from '../report/index.js'
import { factLines, factMetrics, factRows } from './facts.js'
import { History } from './history.js'
import { loggedWarnings } from './log.js'
import { finishedIn, RunFolder, type RunOptions } from './runFolder.js'
import { Terminal } from './terminal.js'

export type Metrics = Record<string, unknown>

export class Run {
  readonly folder: string
  readonly terminal = new Terminal()
  readonly history: History
  readonly log: pino.Logger
  /** Results of the run if it was finished before. */
  readonly finished: Metrics | undefined
  private readonly sections: Child[] = []
  private readonly warnings: Warning[] = []
  private facts: DataFacts | undefined
  private interrupted = false
  private readonly opened = performance.now()
  private estimate: { estimate: Estimate; seconds: number } | undefined
  private readonly listening: Disposable

  private constructor(
    private readonly place: RunFolder,
    private readonly options: RunOptions,
  ) {
    this.folder = place.path
    this.history = new History(this.path('history.parquet'))
    const log = this.path('log.jsonl')
    // A resumed run does not repeat the part in which it warned before.
    if (options.resume) this.warnings.push(...loggedWarnings(log))
    const destination = pino.destination({ dest: log, sync: true })
    // Thrown by the call that logs, because it writes at once.
    destination.on('error', (error) => {
      throw placeError(error, { path: log }) ?? error
    })
    this.log = pino({ base: { stage: options.stage } }, destination)
    const results = this.path('metrics.json')
    this.finished = options.repeatable ? undefined : finishedIn(results)
    this.listening = onInterrupt(() => {
      this.interrupted = true
      this.say('interrupted: stopping after the next saved state (press again to stop at once)')
    })
  }

  /**
   * Opens the folder `out` for `work` and locks it. If the work fails by the user's mistake before anything was trained,
   * a folder that was new is removed again, except for lists of what is wrong with the data.
   * @throws UserError `folder-locked` if another process works there; `run-exists` if it contains a run and neither
   * resume nor overwrite is given; `run-differs` if the run to resume had another configuration; `inputs-changed` if it
   * had other inputs; `out-no-run` if overwrite would remove anything that is not of a run.
   */
  static async with<T>(options: RunOptions, work: (run: Run) => Promise<T>): Promise<T> {
    if (options.dry) return Run.dryRun(options, work)
    const run = await Run.open(options)
    let isMistake = false
    try {
      await run.place.inputs.accept((warning) => run.warn(warning))
      return await work(run)
    } catch (thrown) {
      const error = expectedError(thrown) ?? thrown
      isMistake = error instanceof UserError
      throw error
    } finally {
      run.close(isMistake)
    }
  }

  /** Like `with`, in a temporary folder that is removed at the end. */
  private static async dryRun<T>(options: RunOptions, work: (run: Run) => Promise<T>): Promise<T> {
    using folder = temporaryFolder('dry-run')
    const out = folder.path
    const run = await Run.open({ ...options, out, inputs: undefined, resume: false, overwrite: false })
    try {
      return await work(run)
    } finally {
      run.close(false)
    }
  }

  private static async open(options: RunOptions): Promise<Run> {
    const place = await RunFolder.open(options)
    try {
      return new Run(place, options)
    } catch (error) {
      place.close(false)
      throw error
    }
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  /** Writes one line to the terminal and to the log. */
  say(line: string, details: object = {}): void {
    this.terminal.say(line)
    this.log.info(details, line)
  }

  /** Warns in the terminal, the log, `metrics.json` and the report; the same warning once only. */
  warn(warning: Warning, details: object = {}): void {
    const text = warningText(warning)
    if (this.warnings.some((earlier) => warningText(earlier) === text)) return
    this.warnings.push(warning)
    this.terminal.say(text)
    this.log.warn({ ...details, warning }, text)
  }

  /**
   * Compares an input that is known only once it was read with what the run began with, and remembers it.
   * @throws UserError `inputs-changed`
   */
  async checkInput(option: string, print: Print | undefined): Promise<void> {
    if (print && !this.isDry) await this.place.inputs.check(option, print, (warning) => this.warn(warning))
  }

  /** Shows the facts of the data in the terminal, the log, `metrics.json` and the report, and warns of what is odd. */
  tell(facts: DataFacts): void {
    this.facts = facts
    const lines = factLines(facts)
    if (lines.length > 0) this.log.info({ data: factMetrics(facts) }, lines.join('\n'))
    for (const line of lines) this.terminal.say(line)
    for (const warning of facts.warnings) this.warn(warning)
  }

  /** True once Ctrl-C was pressed: save the state, then throw `interruption()`. */
  get isInterrupted(): boolean {
    return this.interrupted
  }

  /** True if only the cost is estimated. */
  get isDry(): boolean {
    return this.options.dry === true
  }

  /** Seconds since the run was opened. */
  get seconds(): number {
    return (performance.now() - this.opened) / 1000
  }

  /** Records the estimate for steps, evaluations and saves; measuring it took `seconds`. */
  estimated(estimate: Estimate, seconds: number): void {
    this.estimate = { estimate, seconds }
  }

  /** Estimated cost of the whole run after a dry run: seconds at most, and the peak memory so far in MB. */
  cost(): Metrics {
    const { estimate, seconds } = this.estimate!
    const { steps, step_seconds, evaluations, evaluation_seconds, save_seconds } = estimate
    const training = steps * step_seconds + evaluations * (evaluation_seconds + save_seconds)
    return {
      ...estimate,
      seconds: this.seconds - seconds + training,
      peak_memory_mb: process.resourceUsage().maxRSS / 1024,
    }
  }

  /** Training begins or continues: removes the results of a run that the time limit stopped, which it will change. */
  training(): void {
    rmSync(this.path('metrics.json'), { force: true })
  }

  /** The run has a state: it is worth more than a run that it replaces, which is removed. */
  saved(): void {
    this.place.saved()
  }

  interruption(): Interrupted {
    const { stage, repeatable, dry, overwrite } = this.options
    if (dry) return new Interrupted('a dry run saves nothing')
    const command = `mim ${stage} … --out ${this.folder}${repeatable && overwrite ? ' --overwrite' : ''}`
    return new Interrupted(
      repeatable
        ? `the run folder is unchanged; start again with: ${command}`
        : `the state is saved; continue with: ${command} --resume`,
    )
  }

  /** Adds a section to the report. If `make` fails, the run continues without the section. */
  async show(make: () => Child | Promise<Child>): Promise<void> {
    try {
      this.sections.push(await make())
    } catch (error) {
      this.say(`the report lacks a part: ${messageOf(error)}`)
    }
  }

  /** Writes the report, then the results, which mark the run as finished; returns them with facts and warnings. */
  async finish(metrics: Metrics): Promise<Metrics> {
    await this.history.save()
    const { folder, sections, options, facts, warnings } = this
    const { stage, config } = options
    const finished = new Date()
    const summary = {
      ...{ stage, folder, finished, config, metrics, history: this.history.rows, sections },
      data: facts && factRows(facts),
      warnings: warnings.map(warningText),
    }
    await replaceFile(this.path('report.html'), (temporary) => writeFileSync(temporary, stageReport(summary)))
    const results = { ...metrics, ...(facts ? { data: factMetrics(facts) } : {}), warnings }
    await this.place.finish(() => writeJson(this.path('metrics.json'), results))
    return results
  }

  private close(isMistake: boolean): void {
    this.listening[Symbol.dispose]()
    this.log.flush()
    if (this.place.close(isMistake)) this.terminal.say(`${this.folder}: the earlier run is there again`)
  }
}

/** Estimated cost of a run, times in seconds. */
export interface Estimate {
  steps: number
  step_seconds: number
  evaluations: number
  evaluation_seconds: number
  save_seconds: number
}
