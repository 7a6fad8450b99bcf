/**
 * Multi-level InfoNCE (MIM names it; the reading is ours): the same contrastive loss on several
 * representations of anchor and item, over one shared denominator of all negative pools.
 */

import { masked } from '../nn/attention.js'
import { add, crossEntropy, div, gather, matmul, mul, reshape, sliceAxis, sub, sum, type Tensor } from '../ops/index.js'

/** One representation of the rows of a step; "present" is 1 where a row has it, else 0. */
export interface Level {
  weight: number
  /** Unit vectors of the anchors that may have this representation: [n, d]. */
  anchors: Tensor
  anchorsPresent: Tensor
  /** Row of the step that each anchor is, int32 [n]. */
  rows: Tensor
  /** Unit vectors of the candidates, the rows' own items first: [columns, d]. */
  candidates: Tensor
  candidatesPresent: Tensor
}

/**
 * Σ over levels of weight · InfoNCE: row i's positive is candidate i. `bias` [rows, ≥ columns] is added
 * to logits: −1e9 takes a candidate out of a row's negatives. `rowWeights` [rows] weigh the rows.
 */
export function multiLevelInfoNce(levels: readonly Level[], scale: Tensor, bias: Tensor, rowWeights: Tensor): Tensor {
  const losses = levels.map(({ weight, anchors, anchorsPresent, rows, candidates, candidatesPresent }) => {
    const columns = candidates.shape[0]
    const cosines = mul(matmul(anchors, candidates, { transposeB: true }), scale) // [n, columns]
    const absent = mul(sub(1, candidatesPresent), masked)
    const logits = add(add(cosines, sliceAxis(gather(bias, rows), 1, 0, columns)), reshape(absent, [1, columns]))
    // A row that lacks the representation on one side teaches nothing here.
    const both = mul(anchorsPresent, gather(candidatesPresent, rows))
    const weights = mul(gather(rowWeights, rows), both) // [n]
    const mean = div(sum(mul(crossEntropy(logits, rows), weights)), add(sum(weights), 1e-6))
    return mul(mean, weight)
  })
  return losses.reduce((a, b) => add(a, b))
}
