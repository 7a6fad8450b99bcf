import { pretrainConfig } from '../config/pretrain.js'
import { pretrain } from '../stages/pretrain/stage.js'
import { pretrainInputs } from '../stages/shared/inputs.js'
import type * as declarations from './declarations.js'
import type { OptionsOf } from './options.js'
import { runStage } from './stageCommand.js'

export async function run(flags: OptionsOf<typeof declarations.pretrain>): Promise<void> {
  const own = { init: flags.init, 'train.epochs': flags.epochs, 'train.batch': flags.batch, precision: flags.precision }
  await runStage('pretrain', pretrainConfig, flags, own, pretrain, { inputs: pretrainInputs })
}
