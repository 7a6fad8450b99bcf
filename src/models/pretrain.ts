/** The loss of a pretraining step. */
import { type Contrast, type ContrastContext, sameGroupMask } from '../losses/contrastive.js'
import { type LossName, lossOf } from '../losses/index.js'
import { infoNce } from '../losses/infoNce.js'
import { l2Normalize } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import { add, constant, div, input, mul, sliceAxis, type Tensor } from '../ops/index.js'
import { imageFeatures, logitScale, sigmoidLogits, textFeatures } from './dualEncoder.js'
import { contentVector, type EncoderShape, type Modality, pixelInput, tokenInput } from './encoder.js'

/**
 * Unit vectors [rows, projection] of pictures or titles. `source` is a number of rows of the usual input (-1: any), the
 * name of an input of any number of rows, or a tensor.
 */
export function towerVectors(
  p: Parameters,
  shape: EncoderShape,
  modality: Modality,
  source: number | string | Tensor,
): Tensor {
  const { config } = shape
  const [rows, name] = typeof source === 'number' ? [source] : typeof source === 'string' ? [-1, source] : []
  const given = typeof source === 'object' ? source : undefined
  return l2Normalize(
    modality === 'image'
      ? imageFeatures(p, given ?? pixelInput(shape, rows!, name), config)
      : textFeatures(p, given ?? tokenInput(shape, rows!, name), config),
  )
}

/** The training objective. */
export interface Objective {
  /** Contrastive loss between pictures and titles. */
  loss: LossName
  /** Lengths of vector prefixes that the loss also applies to (Matryoshka, arXiv:2205.13147). */
  matryoshka: readonly number[]
  /** Weight of the loss on content vectors. */
  fusionWeight: number
}

/**
 * Contrastive loss between the vectors [batch, projection] of pictures and titles, plus `fusionWeight` times InfoNCE
 * between the content vectors of whole items and of views that lack one modality.
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
  const both = add(mul(keepImage, 0), 1) // [batch]
  const whole = contentVector(p, { image, text, hasImage: both, hasText: both }, shape) // [batch, width]
  const partial = contentVector(p, { image, text, hasImage: keepImage, hasText: keepText }, shape) // [batch, width]
  return add(aligned, mul(agreement(whole, partial), objective.fusionWeight))
}

/**
 * For a catalogue with only pictures or only titles: contrastive loss between two views of each item (pictures: SimCLR,
 * arXiv:2002.05709; titles: SimCSE, arXiv:2104.08821, with word dropout instead of unit dropout), plus `fusionWeight`
 * times InfoNCE between their content vectors. `vectors` [2·batch, projection]: the first views of all items, then the
 * second views.
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

/** `alignment` compares modalities by the configured loss; `agreement` compares content vectors, always by InfoNCE. */
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

/** Mean of a contrastive loss over whole vectors and their normalized prefixes of the lengths `sizes`. */
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
