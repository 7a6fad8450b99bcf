/** Parts of the towers that training does not change (LiT, Zhai et al. 2022, arXiv:2111.07991). */
import { UserError } from '../base/errors.js'
import type { DualEncoderConfig } from './config.js'

/** Frozen part of a tower: nothing, all of it with its projection, or its embeddings and the lowest n blocks. */
export type Frozen = 'none' | 'all' | number

export interface Freeze {
  vision: Frozen
  text: Frozen
}

const towers = [
  { tower: 'vision', model: 'vision_model', projection: 'visual_projection' },
  { tower: 'text', model: 'text_model', projection: 'text_projection' },
] as const

/**
 * Whether a parameter, by name, is frozen. Projections of a new size are always trained.
 * @throws UserError `freeze-blocks` if a tower has fewer blocks.
 */
export function frozenBy(freeze: Freeze, config: DualEncoderConfig, newProjection: boolean): (name: string) => boolean {
  const tests = towers.map(({ tower, model, projection }) => {
    const part = freeze[tower]
    if (part === 'none') return () => false
    if (part === 'all') {
      return (name: string) => name.startsWith(`${model}.`) || (name.startsWith(`${projection}.`) && !newProjection)
    }
    const { layers } = config[tower]
    if (part > layers) {
      const what = `freeze.${tower} ${part}, but the tower has ${layers} blocks`
      throw new UserError({ id: 'freeze-blocks', what, expected: `at most ${layers}, none or all` })
    }
    const lower = new RegExp(`^${model}\\.(?:embeddings\\.|pre_layrnorm\\.|encoder\\.layers?\\.(\\d+)\\.)`)
    return (name: string) => {
      const match = lower.exec(name)
      return match !== null && Number(match[1] ?? -1) < part
    }
  })
  return (name) => tests.some((isFrozen) => isFrozen(name))
}
