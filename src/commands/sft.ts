import { UserError } from '../base/errors.js'
import { sftConfig } from '../config/sft.js'
import { sft } from '../stages/sft/stage.js'
import { sftInputs } from '../stages/shared/inputs.js'
import { type Ablation, ablate, ablations, ablationText } from '../studies/ablation.js'
import { Terminal } from '../train/terminal.js'
import type * as declarations from './declarations.js'
import type { OptionsOf } from './options.js'
import { checkPlaces, configOf, runStage } from './stageCommand.js'

export async function run(flags: OptionsOf<typeof declarations.sft>): Promise<void> {
  const own = { init: flags.init, 'train.epochs': flags.epochs, 'train.batch': flags.batch, precision: flags.precision }
  if (flags.ablate === undefined) {
    if (flags.seeds !== undefined) throw conflict('--seeds without --ablate', 'use --seed for a single run')
    await runStage('sft', sftConfig, flags, own, sft, { inputs: sftInputs })
    return
  }
  if (flags.dryRun) throw conflict('--dry-run with --ablate', 'estimate a single run without --ablate')
  if (flags.maxTime !== undefined)
    throw conflict('--max-time with --ablate', 'interrupt the study and start it again later')
  if (flags.acceptChanged)
    throw conflict('--accept-changed with --ablate', 'remove the runs that changed, or choose another --out')
  if (flags.overwrite) throw conflict('--overwrite with --ablate', 'remove the folder or choose another --out')
  const config = configOf('sft', sftConfig, flags, own)
  checkPlaces(flags.out, config)
  const terminal = new Terminal()
  const kinds = kindsOf(flags.ablate)
  const table = await ablate(config, kinds, seedsOf(flags.seeds ?? String(config.seed)), flags.out, (line) =>
    terminal.say(line),
  )
  process.stdout.write(flags.json ? `${JSON.stringify(table)}\n` : ablationText(table))
}

const conflict = (what: string, remedy: string) => new UserError({ id: 'option-conflict', what, remedy })

/** @throws UserError `ablation-kind` */
function kindsOf(text: string): Ablation[] {
  return text.split(',').map((name) => {
    const kind = ablations.find((known) => known === name.trim())
    if (kind) return kind
    throw new UserError({
      id: 'ablation-kind',
      what: `--ablate ${text}`,
      expected: `a list of ${ablations.join(', ')}`,
    })
  })
}

/** @throws UserError `ablation-seeds` */
function seedsOf(text: string): number[] {
  const seeds = text.split(',').map(Number)
  if (/^\d+(,\d+)*$/.test(text) && seeds.every(Number.isSafeInteger) && new Set(seeds).size === seeds.length)
    return seeds
  throw new UserError({
    id: 'ablation-seeds',
    what: `--seeds ${text}`,
    expected: 'distinct whole numbers, such as 1,2,3',
  })
}
