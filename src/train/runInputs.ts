/** Remembers what a run has read: a run is continued, and its results are given again, for the same inputs only. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../base/errors.js'
import { writeJson } from '../base/files.js'
import { matching, readJson } from '../base/ownFile.js'
import type { Warning } from '../base/warning.js'
import { changesOf } from '../data/fingerprint/changes.js'
import { printsOf, type RunInput, type Unread } from '../data/fingerprint/inputs.js'
import { type Print, type Prints, printsRule } from '../data/fingerprint/print.js'

/** File of the fingerprints in a run folder. */
export const inputsFile = 'inputs.json'
/** To be raised when fingerprints are computed otherwise: older ones are then not compared. */
const format = 1

export interface InputOptions {
  out: string
  /** What the stage reads; undefined: nothing is remembered. */
  inputs?: readonly RunInput[]
  /** Continue although inputs have changed. */
  acceptChanged?: boolean
  /** How to go on in a study, where changed inputs are never accepted. */
  changedRemedy?: string
}

/** An input that is not what the run began with. */
interface Change {
  option: string
  where: string
  what: string
}

export class RunInputs {
  private constructor(
    private readonly options: InputOptions,
    private readonly isFinished: boolean,
    private readonly earlier: Prints,
    private readonly prints: Prints,
    private readonly accepted: readonly Change[],
    private readonly unread: Unread,
  ) {}

  /** @throws UserError `inputs-changed` if the run in `out` had other inputs, unless `acceptChanged`. */
  static async open(options: InputOptions, isFinished: boolean): Promise<RunInputs> {
    const { out, inputs = [] } = options
    const earlier = inputs.length > 0 ? rememberedPrints(out) : {}
    const { prints, unread } = inputs.length > 0 ? await printsOf(inputs, earlier) : { prints: {}, unread: {} }
    const changes = Object.entries(prints).flatMap(([option, print]) =>
      changeOf(option, earlier[option], print, options),
    )
    if (!options.acceptChanged) refuse(changes, options, isFinished)
    return new RunInputs(options, isFinished, earlier, prints, changes, unread)
  }

  /** Warns of accepted changes, then remembers the inputs: a run that is killed between the two is asked again. */
  async accept(warn: (warning: Warning) => void): Promise<void> {
    const { accepted, isFinished, unread, earlier } = this
    for (const change of accepted) warn(warningOf(change, isFinished))
    // Pictures are remembered when all of them were read; a finished run keeps what its results are of.
    const kept = Object.entries(this.prints).filter(
      ([option, { kind }]) => kind !== 'pictures' && !(isFinished && !(option in earlier)),
    )
    if (!isFinished || accepted.length === 0) await this.save(Object.fromEntries(kept))
    if (!isFinished) return
    for (const [option, message] of Object.entries(unread)) {
      if (option in earlier)
        warn({ id: 'inputs-unread', where: option, what: `not compared with what the run read: ${message}` })
    }
  }

  /**
   * Compares and remembers an input that is known only once it was read.
   * @throws UserError `inputs-changed`
   */
  async check(option: string, print: Print, warn: (warning: Warning) => void): Promise<void> {
    if (this.options.inputs === undefined) return
    const changes = changeOf(option, this.earlier[option], print, this.options)
    if (!this.options.acceptChanged) refuse(changes, this.options, false)
    for (const change of changes) {
      // Known before, by a sample.
      if (!this.accepted.some((other) => other.option === option)) warn(warningOf(change, false))
    }
    await this.save({ [option]: print })
  }

  private async save(prints: Prints): Promise<void> {
    if (Object.keys(prints).length === 0) return
    const before = JSON.stringify(this.earlier)
    Object.assign(this.earlier, prints)
    const file = join(this.options.out, inputsFile)
    if (existsSync(file) && JSON.stringify(this.earlier) === before) return
    await writeJson(file, { format, inputs: this.earlier })
  }
}

/**
 * Compares the run in `out` with what its inputs are now, without opening it.
 * @throws UserError `inputs-changed`
 */
export async function requireSameInputs(options: InputOptions): Promise<void> {
  if (existsSync(join(options.out, inputsFile))) await RunInputs.open(options, true)
}

/** The fingerprints that the run in `out` remembers; none for a run of an earlier version of mim. */
export const rememberedPrints = (out: string): Prints => savedPrints(join(out, inputsFile))

/** The fingerprints in a file; none if it is of an earlier version of mim, or there is none. */
function savedPrints(file: string): Prints {
  if (!existsSync(file)) return {}
  const remedy = 'remove the file, if you are sure that the inputs are those that the run began with'
  const recovery = { id: 'inputs-broken', remedy }
  const saved = readJson(file, z.looseObject({ format: z.number(), inputs: z.unknown() }), recovery)
  return saved.format === format ? matching(file, saved.inputs, printsRule, recovery) : {}
}

function changeOf(option: string, was: Print | undefined, now: Print, { inputs = [] }: InputOptions): Change[] {
  const what = was ? changesOf(was, now) : []
  if (what.length === 0) return []
  const path = inputs.find((input) => input.option === option)?.path
  return [{ option, where: path === undefined ? option : `${option} ${path}`, what: what.join(', ') }]
}

/** @throws UserError `inputs-changed` */
function refuse(changes: readonly Change[], { out, changedRemedy }: InputOptions, isFinished: boolean): void {
  if (changes.length === 0) return
  const list = changes.map(({ where, what }) => `${where}: ${what}`).join('; ')
  const own = isFinished
    ? 'choose another --out, add --overwrite in place of --resume to train again, or --accept-changed to get the results'
    : 'choose another --out, restore what was there, or add --accept-changed to continue with it'
  throw new UserError({
    id: 'inputs-changed',
    where: out,
    what: `${isFinished ? 'the run is finished and has read other inputs' : 'the run began with other inputs'}: ${list}`,
    remedy: changedRemedy ?? own,
  })
}

function warningOf({ where, what }: Change, isFinished: boolean): Warning {
  return isFinished
    ? {
        id: 'inputs-changed',
        where,
        what: `the results are of what was there before: ${what}`,
        remedy: '--overwrite trains again',
      }
    : {
        id: 'inputs-changed',
        where,
        what: `changed while the run was stopped: ${what}; it goes on with what is there now`,
      }
}
