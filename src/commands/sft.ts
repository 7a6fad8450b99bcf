import { sftConfig } from '../config/sft.js'
import { sft } from '../stages/sft.js'
import { runStage, type StageFlags } from './shared.js'

export async function run(flags: StageFlags & { init?: string; epochs?: number; batch?: number }): Promise<void> {
  const own = { init: flags.init, 'train.epochs': flags.epochs, 'train.batch': flags.batch }
  await runStage('sft', sftConfig, flags, own, sft)
}
