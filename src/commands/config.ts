import { ctrConfig } from '../config/ctr.js'
import { embedConfig } from '../config/embed.js'
import { explain } from '../config/explain.js'
import { loadConfig } from '../config/load.js'
import { pretrainConfig } from '../config/pretrain.js'
import { sftConfig } from '../config/sft.js'

const schemas = { pretrain: pretrainConfig, sft: sftConfig, embed: embedConfig, ctr: ctrConfig }

export async function run(stage: keyof typeof schemas, flags: { config?: string; set: string[] }): Promise<void> {
  const schema = schemas[stage]
  process.stdout.write(explain(schema, loadConfig(schema, { file: flags.config, sets: flags.set })))
}
