import type { Level, Term } from '../../../losses/multiLevel.js'
import type { Parameters } from '../../../nn/parameters.js'
import { stopGradient } from '../../../ops/index.js'
import type { EncoderShape, Modality } from '../../encoder.js'
import { join, rowNumbers } from '../layout.js'
import { ones, type StepVectors } from '../vectors.js'

/** What the terms of a step's loss are made of. */
export interface LossStep {
  p: Parameters
  shape: EncoderShape
  vectors: StepVectors
  /** InfoNCE between the queries (anchors) and items (candidates) of a level, with the masks of the step. */
  contrast: (level: Level) => Term[]
  /** Lengths of prefixes of the content vector. */
  matryoshka: readonly number[]
}

/** A term of the loss of C-SFT. */
export interface LossTerm {
  /** Its weight is the option of this name below `levels`. */
  name: string
  /** Default weight; 0 turns the term off. */
  default: number
  help: string
  /** Whether it draws queries to their targets. At least one such term must be on. */
  supervises: boolean
  /** Modalities without which there is no such term. */
  needs: readonly Modality[]
  /** Option below `levels` that has to be set for the term to be on. */
  uses?: 'matryoshka'
  /** Its name in the ablation table. */
  ablation: string
  terms(step: LossStep, weight: number): Term[]
}

/** The level of content vectors: each query against targets, hard negatives and queue. */
export function contentLevel(weight: number, { queries, items, queue, queued, layout }: StepVectors): Level {
  const { batch, pairs, columns } = layout
  return {
    name: 'fused',
    weight,
    anchors: queries.content, // [batch, width]
    anchorsPresent: ones(batch),
    rows: rowNumbers(pairs.image, pairs.text, pairs.product),
    candidates: join([items.content, ...queue]), // [batch + hard + queue, width]
    candidatesPresent: ones(columns.count),
    aged: queued && { from: columns.queue.from, own: stopGradient(queued) },
  }
}

/** The level of one modality: the queries that have it against targets and hard negatives. */
export function modalityLevel(modality: Modality, weight: number, { queries, items, layout }: StepVectors): Level {
  return {
    name: modality,
    weight,
    anchors: queries[modality].vectors, // [queries of the modality + product, d]
    anchorsPresent: queries[modality].present,
    rows: rowNumbers(layout.pairs[modality], layout.pairs.product),
    candidates: items[modality].vectors, // [batch + hard, d]
    candidatesPresent: items[modality].present,
  }
}
