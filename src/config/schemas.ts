/** Schemas that `mim config` prints, by name of the stage or study. */
import { ctrConfig } from './ctr.js'
import { embedConfig } from './embed.js'
import { gridConfig } from './grid.js'
import { pretrainConfig } from './pretrain.js'
import { sftConfig } from './sft.js'
import { tuneConfig } from './tune.js'

export const schemas = {
  pretrain: pretrainConfig,
  sft: sftConfig,
  embed: embedConfig,
  ctr: ctrConfig,
  grid: gridConfig,
  tune: tuneConfig,
}
