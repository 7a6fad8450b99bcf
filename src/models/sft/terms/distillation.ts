import { input, mean, mul, sub, sum } from '../../../ops/index.js'
import { contentWidth } from '../../encoder.js'
import { take } from '../layout.js'
import type { LossTerm } from './term.js'

export const distillation = {
  name: 'distillation',
  default: 0,
  help: 'Loss weight of distillation from stage 1: mean over targets of 1 − cosine with the vector of stage 1',
  supervises: false,
  needs: [],
  ablation: 'distillation',
  terms: ({ shape, vectors: { items, layout } }, weight) => {
    const first = input('first_vectors', [layout.batch, contentWidth(shape)]) // of stage 1
    const targets = take(items.content, layout.columns.targets) // [batch, width]
    return [{ name: 'distillation', weight, loss: sub(1, mean(sum(mul(targets, first), -1))) }]
  },
} as const satisfies LossTerm
