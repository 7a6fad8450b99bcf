/** The loss of a C-SFT step. */
import { temperature } from '../../losses/contrastive.js'
import { type Level, multiLevelInfoNce, type Pool, type Term, weightedSum } from '../../losses/multiLevel.js'
import type { Parameters } from '../../nn/parameters.js'
import { input, type Tensor } from '../../ops/index.js'
import type { EncoderShape } from '../encoder.js'
import type { RowLayout, SftSizes } from './layout.js'
import { lossTerms, type TermName } from './terms/index.js'
import type { LossStep } from './terms/term.js'
import { type MomentumEncoder, stepVectors, type Towers } from './vectors.js'

/** Parameter: logarithm of the factor on cosines between queries and items. */
export const choiceScale = 'choice.logit_scale'

/** Weights of the terms of the loss and its other options; see the configuration. */
export interface SftLossOptions {
  levels: Record<TermName, number> & { matryoshka: readonly number[] }
  temperature: { initial: number; lowest: number }
  denominator: 'shared' | 'separate'
}

/**
 * The loss of a step and its terms by name. `towers` are the tower vectors of the rows of `rowLayout(s)`. Inputs: those
 * of `stepVectors`, `bias` [batch, batch + hard + queue], `row_weights` [batch], and those of the terms. With a queue,
 * `momentum` is the encoder that fills it and `queued` [batch, width] are the vectors to put in.
 */
export function sftLoss(
  p: Parameters,
  shape: EncoderShape,
  s: SftSizes,
  towers: Towers,
  options: SftLossOptions,
  momentum?: MomentumEncoder,
): { loss: Tensor; terms: Term[]; queued: Tensor | undefined } {
  const { levels: weights } = options
  const vectors = stepVectors(p, shape, s, towers, momentum)
  const contrast = choiceContrast(p, vectors.layout, options)
  const step: LossStep = { p, shape, vectors, contrast, matryoshka: weights.matryoshka }
  const terms = lossTerms
    .filter(({ name, needs }) => weights[name] > 0 && needs.every((modality) => towers[modality]))
    .flatMap((term) => term.terms(step, weights[term.name]))
  return { loss: weightedSum(terms), terms, queued: vectors.queued }
}

/** InfoNCE between queries and items, with the masks, row weights and pools of the step. */
function choiceContrast(
  p: Parameters,
  { batch, columns }: RowLayout,
  { temperature: { initial, lowest }, denominator }: SftLossOptions,
): (level: Level) => Term[] {
  const pools: Pool[] = [
    { name: 'batch', ...columns.targets, corrected: true },
    { name: 'hard', ...columns.hard, corrected: false },
    { name: 'queue', ...columns.queue, corrected: true },
  ]
  // A choice of a user is far less certain than the title of a picture. A temperature of its own allows smaller logits
  // without making all vectors similar.
  const scale = temperature(p.get(choiceScale, [], { fill: -Math.log(initial) }), 1 / lowest)
  const options = {
    scale,
    bias: input('bias', [batch, columns.count]),
    rowWeights: input('row_weights', [batch]),
    pools: denominator === 'separate' ? pools : undefined,
  }
  return (level) => (level.anchors.shape[0] > 0 ? multiLevelInfoNce([level], options) : [])
}
