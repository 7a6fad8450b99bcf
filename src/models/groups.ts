/** How parameters differ in training, told from their names and shapes. */
import type { Shape } from '../ops/index.js'

/** Whether weight decay is for a parameter: not for biases, gains of norms and scalars, nor for positions. */
export function decays(name: string, shape: Shape): boolean {
  return shape.length > 1 && !/(^|\.)position_embeddings?\./.test(name)
}

const towerOf = /^(vision_model|text_model)\.(?:encoder\.layers?\.(\d+)\.|(?:embeddings|pre_layrnorm)\.)/

/**
 * Factors on the learning rate that fall with the distance from the top of a tower (Bao et al. 2022,
 * arXiv:2106.08254): `decay` to the power of layers above, the embeddings being the lowest layer.
 * What stands above or beside the towers has factor 1. `names` are those of all parameters.
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

/** The groups of an encoder: decay by `decays`, rates by `layerRates`. */
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
