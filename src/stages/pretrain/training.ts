/** The loss of stage 1, and its training on whole batches or in micro-batches. */
import type { PretrainConfig } from '../../config/pretrain.js'
import { makeCachedTraining } from '../../engine/gradCache.js'
import { makeTraining, type Training } from '../../engine/training.js'
import type { EncoderShape, Modality } from '../../models/encoder.js'
import { encoderGroups } from '../../models/groups.js'
import { type Objective, pretrainLoss, towerVectors, viewsLoss } from '../../models/pretrain.js'
import type { Parameters } from '../../nn/parameters.js'
import type { Tensor } from '../../ops/index.js'

/** Declares in `p` the parameters of the loss; `modalities` are those of the catalogue. */
export function pretrainTraining(
  p: Parameters,
  shape: EncoderShape,
  modalities: Modality | 'both',
  { train, loss, matryoshka, fusion: { weight } }: Pick<PretrainConfig, 'train' | 'loss' | 'matryoshka' | 'fusion'>,
): Training {
  const objective: Objective = {
    loss: loss ?? (shape.config.architecture === 'siglip' ? 'sigmoid' : 'infoNce'),
    matryoshka,
    fusionWeight: weight,
  }
  const { batch, microBatch } = train
  // With one modality there are two views of each item.
  const rows = modalities === 'both' ? batch : 2 * batch
  const shown: Modality[] = modalities === 'both' ? ['image', 'text'] : [modalities]
  const made = shown.map((modality) => towerVectors(p, shape, modality, microBatch > 0 ? -1 : rows))
  const names = p.list().map(({ name }) => name)
  const options = { ...train, group: encoderGroups(names, train) }
  const lossOf = ([first, second]: Tensor[]) =>
    modalities === 'both'
      ? pretrainLoss(p, shape, { image: first, text: second }, batch, objective)
      : viewsLoss(p, shape, first, batch, modalities, objective)
  if (microBatch === 0) return makeTraining(lossOf(made), p, [], options)
  const encoders = Object.fromEntries(shown.map((modality, i) => [modality, { vectors: made[i], rows }]))
  return makeCachedTraining(encoders, (vectors) => ({ loss: lossOf(shown.map((name) => vectors[name])) }), p, options)
}
