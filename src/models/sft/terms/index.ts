import { alignment } from './alignment.js'
import { distillation } from './distillation.js'
import { fused } from './fused.js'
import { image } from './image.js'
import { prefix } from './prefix.js'
import { text } from './text.js'

/**
 * The terms of the loss of C-SFT. Their weights (options below `levels`), the metrics `loss_…` of the history and
 * `mim sft --ablate levels` follow from this list.
 *
 * To add a term: write a file in this folder that exports a `LossTerm` (term.ts), add it to this list, and add its plain
 * formula to a test of its own in test/models. A term that needs an input of its own gets it in stages/sft/batch.ts.
 */
export const lossTerms = [fused, prefix, image, text, alignment, distillation] as const

export type TermName = (typeof lossTerms)[number]['name']
