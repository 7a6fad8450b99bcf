import { ctrConfig } from '../../config/ctr.js'
import { ctr } from '../../stages/ctr/stage.js'
import { runStage, type StageFlags } from '../stageCommand.js'

type Flags = StageFlags & {
  model?: string
  embeddings?: string | string[]
  epochs?: number
  batch?: number
  strict?: boolean
}

export async function run(flags: Flags): Promise<void> {
  const own = {
    'model.name': flags.model,
    'data.embeddings': flags.embeddings,
    'train.epochs': flags.epochs,
    'train.batch': flags.batch,
    'data.leaks': flags.strict ? 'stop' : undefined,
  }
  await runStage('ctr', ctrConfig, flags, own, ctr)
}
