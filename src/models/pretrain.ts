/** The computation of a step of stage 1. */
import { type Contrast, type ContrastContext, sameGroupMask } from '../losses/contrastive.js'
import { type LossName, lossOf } from '../losses/index.js'
import { infoNce } from '../losses/infoNce.js'
import { l2Normalize } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { add, constant, div, input, mul, sliceAxis, type Tensor } from '../ops/index.js'
import { imageFeatures, logitScale, sigmoidLogits, textFeatures } from './dualEncoder.js'
import { contentVector, type EncoderShape, type Modality, pixelInput, tokenInput } from './encoder.js'

/**
 * Unit vectors [rows, projection] of pictures or titles, `of` so many rows of the usual input (-1: any number), of any
 * number of rows of an input of that name, or of what a tensor holds.
 */
export function towerVectors(
  p: Parameters,
  shape: EncoderShape,
  modality: Modality,
  of: number | string | Tensor,
): Tensor {
  const { config } = shape
  const [rows, name] = typeof of === 'number' ? [of] : typeof of === 'string' ? [-1, of] : []
  const given = typeof of === 'object' ? of : undefined
  return l2Normalize(
    modality === 'image'
      ? imageFeatures(p, given ?? pixelInput(shape, rows!, name), config)
      : textFeatures(p, given ?? tokenInput(shape, rows!, name), config),
  )
}

/** What is asked of the vectors. */
export interface Objective {
  /** How pictures and titles are told apart from those of other items. */
  loss: LossName
  /** Lengths of prefixes that must do the same as the whole vector (Matryoshka, arXiv:2205.13147). */
  matryoshka: readonly number[]
  /** Weight of the loss of content vectors. */
  fusionWeight: number
}

/**
 * Of the vectors [batch, projection] of pictures and titles: the contrast of the two plus `fusionWeight` times
 * InfoNCE between the content vector of the whole item and that of a view which lacks one modality.
 */
export function pretrainLoss(
  p: Parameters,
  shape: EncoderShape,
  { image, text }: Record<Modality, Tensor>,
  batch: number,
  objective: Objective,
): Tensor {
  const { alignment, agreement } = contrasts(p, shape, batch, objective)
  const aligned = alignment(image, text)
  const [keepImage, keepText] = [input('keep_image', [batch]), input('keep_text', [batch])]
  const both = add(mul(keepImage, 0), 1)
  const whole = contentVector(p, { image, text, hasImage: both, hasText: both }, shape)
  const partial = contentVector(p, { image, text, hasImage: keepImage, hasText: keepText }, shape)
  return add(aligned, mul(agreement(whole, partial), objective.fusionWeight))
}

/**
 * For a catalogue that has pictures or titles alone: the contrast between two views of each item
 * (pictures: SimCLR, arXiv:2002.05709; titles: SimCSE, arXiv:2104.08821, with words left out in place of
 * dropout), plus `fusionWeight` times InfoNCE between their content vectors. `vectors` [2·batch, projection]
 * are those of the first views of all items, then of the second ones.
 */
export function viewsLoss(
  p: Parameters,
  shape: EncoderShape,
  vectors: Tensor,
  batch: number,
  modality: Modality,
  objective: Objective,
): Tensor {
  const [has, lacks] = [constant(1, [2 * batch]), constant(0, [2 * batch])]
  const missing = constant(0, [2 * batch, shape.config.projection])
  const content = contentVector(
    p,
    modality === 'image'
      ? { image: vectors, text: missing, hasImage: has, hasText: lacks }
      : { image: missing, text: vectors, hasImage: lacks, hasText: has },
    shape,
  )
  const { alignment, agreement } = contrasts(p, shape, batch, objective)
  const halves = (x: Tensor) => [sliceAxis(x, 0, 0, batch), sliceAxis(x, 0, batch, 2 * batch)] as const
  return add(alignment(...halves(vectors)), mul(agreement(...halves(content)), objective.fusionWeight))
}

/** `alignment` compares modalities by the loss asked for, `agreement` content vectors, whose cosines are all high. */
function contrasts(
  p: Parameters,
  { config }: EncoderShape,
  batch: number,
  { loss, matryoshka }: Objective,
): Record<'alignment' | 'agreement', Contrast> {
  const group = (name: string) => input(name, [batch], 'int32')
  const context: ContrastContext = {
    batch,
    mask: sameGroupMask(group('title_group'), group('picture_group')),
    logitScale: () => logitScale(p, config),
    sigmoidLogits: () => sigmoidLogits(p, config),
  }
  const agreement = overPrefixes(infoNce.over(context), matryoshka)
  if (loss === 'infoNce') return { alignment: agreement, agreement }
  return { alignment: overPrefixes(lossOf(loss).over(context), matryoshka), agreement }
}

/** The mean of a contrast over whole vectors and their prefixes of the lengths `sizes`, made unit vectors again. */
function overPrefixes(contrast: Contrast, sizes: readonly number[]): Contrast {
  return (a, b) => {
    const width = a.shape[1]
    const prefix = (x: Tensor, size: number) => l2Normalize(sliceAxis(x, 1, 0, size))
    const parts = sizes.filter((size) => size < width).map((size) => contrast(prefix(a, size), prefix(b, size)))
    const all = [contrast(a, b), ...parts]
    return all.length === 1
      ? all[0]
      : div(
          all.reduce((x, y) => add(x, y)),
          all.length,
        )
  }
}
