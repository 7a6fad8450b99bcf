import type { ContrastiveLoss } from './contrastive.js'
import { infoNce } from './infoNce.js'
import { sigmoid } from './sigmoid.js'

/**
 * The losses between pictures and titles that the option `loss` of `mim pretrain` chooses from. The option and its help
 * follow from this list.
 *
 * To add a loss: write a file in this folder that exports a `ContrastiveLoss` (contrastive.ts), add it to this list, and
 * compare it with its plain formula in a test like test/losses/sigmoid.test.ts. A loss with parameters of its own gets
 * them from `ContrastContext`, which models/pretrain.ts makes.
 */
export const contrastiveLosses = [infoNce, sigmoid] as const

export type LossName = (typeof contrastiveLosses)[number]['name']

export const lossOf = (name: LossName): ContrastiveLoss => contrastiveLosses.find((loss) => loss.name === name)!
