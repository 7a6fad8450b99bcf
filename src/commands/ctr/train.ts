import { ctrConfig } from '../../config/ctr.js'
import { ctr } from '../../stages/ctr/stage.js'
import { ctrInputs } from '../../stages/shared/inputs.js'
import type { OptionsOf } from '../options.js'
import { runStage } from '../stageCommand.js'
import type * as declarations from './declarations.js'

export async function run(flags: OptionsOf<typeof declarations.train>): Promise<void> {
  const own = {
    'model.name': flags.model,
    'data.embeddings': flags.embeddings,
    'train.epochs': flags.epochs,
    'train.batch': flags.batch,
    'data.leaks': flags.strict ? 'stop' : undefined,
  }
  await runStage('ctr', ctrConfig, flags, own, ctr, { inputs: ctrInputs })
}
