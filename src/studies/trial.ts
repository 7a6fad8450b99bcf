/** Runs of `mim ctr` that a study starts. Finished runs are reused. */

import { Interrupted, UserError } from '../base/errors.js'
import { type CtrConfig, ctrConfig } from '../config/ctr.js'
import { loadConfig } from '../config/load.js'
import { ctr } from '../stages/ctr/stage.js'
import { ctrInputs } from '../stages/shared/inputs.js'
import { type Metrics, Run } from '../train/run.js'

/** Options of the command line for all runs. */
export interface TrialFlags {
  data?: string
  engine?: string
  device?: string
}

/**
 * The configuration of one run: `file`, then `sets` by path, then options of the command line.
 * @throws UserError `config`, located at `name`.
 */
export function trialConfig(
  name: string,
  file: string | null,
  sets: Record<string, unknown>,
  { data, engine, device }: TrialFlags,
): CtrConfig {
  try {
    const flags = { 'data.root': data, engine, device }
    return loadConfig(ctrConfig, { file: file ?? undefined, stage: 'ctr', values: sets, flags })
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new UserError({ id: error.id, where: name, what: error.message })
  }
}

/** Runs of other inputs cannot be compared, so a study has no option to accept them. */
export const inputsRemedy = 'restore what was there, remove this run to train it again, or choose another --out'

/**
 * Trains in the folder `out`, resumes the run there, or returns its metrics if it is finished; `again`: the command to
 * repeat after an interruption.
 */
export async function runTrial(out: string, config: CtrConfig, again: string): Promise<Metrics> {
  try {
    const inputs = { inputs: ctrInputs(config), changedRemedy: inputsRemedy }
    return await Run.with({ out, stage: 'ctr', config, schema: ctrConfig, resume: true, ...inputs }, async (run) => {
      if (run.finished) return run.finished
      return run.finish(await ctr(config, run))
    })
  } catch (error) {
    if (error instanceof Interrupted) throw new Interrupted(`the state is saved; continue with: ${again}`)
    throw error
  }
}

/** A name as part of a path: lower-case letters and digits. */
export const slug = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
