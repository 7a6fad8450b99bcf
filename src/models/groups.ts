/** Weight decay and learning rate factors of parameters, by their names and shapes. */
import type { Shape } from '../ops/index.js'

/** Whether a parameter has weight decay: all but biases, gains of norms, scalars and positions. */
export function decays(name: string, shape: Shape): boolean {
  return shape.length > 1 && !/(^|\.)position_embeddings?\./.test(name)
}

const towerOf = /^(vision_model|text_model)\.(?:encoder\.layers?\.(\d+)\.|(?:embeddings|pre_layrnorm)\.)/

/**
 * Layer-wise learning rate decay (Bao et al. 2022, arXiv:2106.08254): the factor is `decay` to the power of the number
 * of layers above; the embeddings are the lowest layer. Parameters outside of the towers have factor 1. `names`: all
 * parameters.
 */
export function layerRates(names: readonly string[], decay: number): (name: string) => number {
  /** Tower and height of a parameter: 0 for embeddings, 1 for the first layer, … */
  const place = (name: string) => {
    const match = towerOf.exec(name)
    return match ? { tower: match[1], height: match[2] === undefined ? 0 : Number(match[2]) + 1 } : undefined
  }
  const heights: Record<string, number> = {}
  for (const name of names) {
    const at = place(name)
    if (at) heights[at.tower] = Math.max(heights[at.tower] ?? 0, at.height)
  }
  return (name) => {
    const at = place(name)
    return at ? decay ** (heights[at.tower] + 1 - at.height) : 1
  }
}

/** Parameter groups of an encoder: weight decay by `decays`, learning rates by `layerRates`. */
export function encoderGroups(
  names: readonly string[],
  { weightDecay, layerDecay }: { weightDecay: number; layerDecay: number },
) {
  const rateOf = layerRates(names, layerDecay)
  return (name: string, shape: Shape) => ({
    rateFactor: rateOf(name),
    weightDecay: decays(name, shape) ? weightDecay : 0,
  })
}
