import { embedConfig } from '../config/embed.js'
import { embed } from '../stages/embed.js'
import { runStage, type StageFlags } from './shared.js'

export async function run(
  flags: StageFlags & { checkpoint?: string; provider?: string; batch?: number },
): Promise<void> {
  const own = { checkpoint: flags.checkpoint, provider: flags.provider, batch: flags.batch }
  await runStage('embed', embedConfig, flags, own, embed, { repeatable: true })
}
