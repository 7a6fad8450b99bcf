/** Refuses models that do not fit into memory before the data are read, which may take hours. */
import { requireMemory } from '../../base/capacity.js'
import type { EngineChoice } from '../../engine/index.js'
import { mayUseGpu, smaller } from '../../engine/memory.js'
import { attentionSize, type EncoderShape, encoderPrograms } from '../../models/encoder.js'
import { Parameters } from '../../nn/parameters.js'

interface EncoderTraining extends EngineChoice {
  train: { optimizer: 'adam' | 'sgd' | 'nesterov' | 'adagrad'; momentum: number; ema: number }
}

/**
 * Refuses to train an encoder on a CPU that has no memory for its parameters, the optimizer's numbers for each, their
 * averages, and `copies` more, or for one picture, if there are any. `isFrozen`: parts may be without an optimizer.
 * @throws UserError `memory`
 */
export function requireEncoderMemory(
  shape: EncoderShape,
  { train, ...choice }: EncoderTraining,
  { isFrozen = false, copies = 0, hasPictures = false } = {},
): void {
  if (mayUseGpu(choice)) return
  const p = new Parameters()
  encoderPrograms(p, shape)
  const count = p.list().reduce((sum, one) => sum + one.shape.reduce((a, b) => a * b, 1), 0)
  const ofOptimizer = { adam: 2, adagrad: 1, sgd: train.momentum > 0 ? 1 : 0, nesterov: train.momentum > 0 ? 1 : 0 }
  const times = isFrozen ? 1 : 1 + ofOptimizer[train.optimizer] + (train.ema > 0 ? 1 : 0)
  const what = `a model of ${inMillions(count)} parameters with its optimizer`
  requireMemory(count * 4 * (times + copies), what, smaller)
  if (hasPictures) requirePictureMemory(shape)
}

/** @throws UserError `memory` if the attention between the patches of one picture has no space */
export function requirePictureMemory(shape: EncoderShape): void {
  const { imageSize, patch } = shape.config.vision
  const what = `the attention in a picture of ${imageSize} × ${imageSize} pixels with patches of ${patch}`
  requireMemory(attentionSize(shape) * 4, what, 'use larger patches or smaller pictures')
}

const inMillions = (count: number) => `${Math.round(count / 1e6)} million`
