/** Plans the steps of C-SFT: how many pairs of each kind of query a step has. */
import { UserError } from '../../base/errors.js'
import type { SftConfig } from '../../config/sft.js'
import { parts } from '../../data/choices/log.js'
import { queryKinds } from '../../data/choices/sources/source.js'
import { type Modality, modalities } from '../../models/encoder.js'
import { rowLayout, type SftSizes } from '../../models/sft/layout.js'
import { lossTerms } from '../../models/sft/terms/index.js'
import type { SftData } from './load.js'

/** How the pairs of the training part are spread over steps. */
export interface SftPlan {
  sizes: SftSizes
  stepsPerEpoch: number
  /** Training pairs by kind of query. */
  byKind: Int32Array[]
}

/** @throws UserError `levels-none` or `positives-none` when there is nothing to learn. */
export function planBatches(
  { positives, catalogue, queries }: Pick<SftData, 'positives' | 'catalogue' | 'queries'>,
  config: SftConfig,
): SftPlan {
  const byKind = queryKinds.map((_, k) =>
    Int32Array.from({ length: positives.count }, (_, i) => i).filter(
      (i) => positives.kind[i] === k && positives.part[i] === parts.train,
    ),
  )
  const counts = byKind.map((rows) => rows.length)
  const has = {
    image: catalogue.hasImage.includes(1) || queries.pictures.present.includes(1),
    text: catalogue.hasText.includes(1) || positives.queryTexts.length > 0,
  }
  const towers = modalities.filter((modality) => has[modality])
  checkLevels(towers, config)
  const sizes = { ...stepSizes(counts, config), towers }
  const pairs = counts.reduce((a, b) => a + b, 0)
  return { sizes, stepsPerEpoch: Math.max(1, Math.round(pairs / rowLayout(sizes).batch)), byKind }
}

/** Checks that some term of the loss draws queries to targets. */
function checkLevels(towers: readonly Modality[], { levels }: SftConfig): void {
  const isOn = lossTerms.some(
    ({ name, supervises, needs }) =>
      supervises && levels[name] > 0 && needs.every((modality) => towers.includes(modality)),
  )
  if (isOn) return
  throw new UserError({
    id: 'levels-none',
    what: `levels.fused is 0, and so are the weights of the modalities in the data (${towers.join(', ') || 'none'})`,
    remedy: 'raise levels.fused',
  })
}

/** Divides a batch among the kinds of query that the data has. */
function stepSizes(available: number[], { positives, negatives, train }: SftConfig): Omit<SftSizes, 'towers'> {
  const shares = queryKinds.map((kind, k) => (available[k] > 0 ? positives.mixture[kind] : 0))
  const total = shares.reduce((a, b) => a + b, 0)
  if (total === 0) {
    throw new UserError({
      id: 'positives-none',
      what: 'no training pair has a kind of query with a share in positives.mixture',
      remedy: 'raise the share of a kind that the data has, or change split.train',
    })
  }
  const counts = shares.map((share, k) => Math.min(available[k], Math.round((train.batch * share) / total)))
  const [image, text, product] = counts
  const batch = image + text + product
  // The queue is replaced in whole batches.
  const queue = negatives.queue < batch ? 0 : Math.floor(negatives.queue / batch) * batch
  return { image, text, product, hard: negatives.hard, queue }
}
