import { pretrainConfig } from '../config/pretrain.js'
import { pretrain } from '../stages/pretrain/stage.js'
import { runStage, type StageFlags } from './stageCommand.js'

export async function run(
  flags: StageFlags & { init?: string; epochs?: number; batch?: number; precision?: string },
): Promise<void> {
  const own = { init: flags.init, 'train.epochs': flags.epochs, 'train.batch': flags.batch, precision: flags.precision }
  await runStage('pretrain', pretrainConfig, flags, own, pretrain)
}
