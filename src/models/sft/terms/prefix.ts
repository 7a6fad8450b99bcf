import { l2Normalize } from '../../../nn/layers.js'
import { sliceAxis, type Tensor } from '../../../ops/index.js'
import { contentLevel, type LossTerm } from './term.js'

/** Matryoshka representation learning (Kusupati et al. 2022, arXiv:2205.13147). */
export const prefix = {
  name: 'prefix',
  default: 0.5,
  help: 'Loss weight of InfoNCE between prefixes of content vectors, for each length in matryoshka',
  supervises: false,
  needs: [],
  uses: 'matryoshka',
  ablation: 'prefixes',
  terms: ({ vectors, contrast, matryoshka }, weight) =>
    matryoshka.flatMap((width) => {
      const cut = (x: Tensor) => l2Normalize(sliceAxis(x, 1, 0, width)) // [rows, width]
      const whole = contentLevel(weight, vectors)
      return contrast({
        ...whole,
        name: `fused_${width}`,
        anchors: cut(whole.anchors),
        candidates: cut(whole.candidates),
        aged: whole.aged && { ...whole.aged, own: cut(whole.aged.own) },
      })
    }),
} as const satisfies LossTerm
