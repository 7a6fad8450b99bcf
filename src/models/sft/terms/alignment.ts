import { sameGroupMask, temperature } from '../../../losses/contrastive.js'
import { type Level, multiLevelInfoNce, weightedSum } from '../../../losses/multiLevel.js'
import { input } from '../../../ops/index.js'
import { logitScale } from '../../dualEncoder.js'
import { rowNumbers, take } from '../layout.js'
import { ones, type Side } from '../vectors.js'
import type { LossTerm } from './term.js'

/** The loss of stage 1 on the targets of the step: both directions, with the temperature of stage 1. */
export const alignment = {
  name: 'alignment',
  default: 0.5,
  help: 'Loss weight of the stage 1 loss, picture against title of the same item; keeps the vectors faithful to content',
  supervises: false,
  needs: ['image', 'text'],
  ablation: 'alignment',
  terms: ({ p, shape, vectors: { items, layout } }, weight) => {
    const { batch, columns } = layout
    const targets = ({ vectors, present }: Side) => ({
      vectors: take(vectors, columns.targets), // [batch, d]
      present: take(present, columns.targets), // [batch]
    })
    const level = (from: Side, to: Side): Level => ({
      name: 'alignment',
      weight: 0.5,
      anchors: from.vectors,
      anchorsPresent: from.present,
      rows: rowNumbers(columns.targets),
      candidates: to.vectors,
      candidatesPresent: to.present,
    })
    const [image, text] = [targets(items.image), targets(items.text)]
    const terms = multiLevelInfoNce([level(image, text), level(text, image)], {
      scale: temperature(logitScale(p, shape.config)),
      bias: sameGroupMask(input('item_group', [batch], 'int32')),
      rowWeights: ones(batch),
    })
    return [{ name: 'alignment', weight, loss: weightedSum(terms) }]
  },
} as const satisfies LossTerm
