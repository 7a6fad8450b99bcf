import { binaryCrossEntropy } from '../../losses/binary.js'
import { add, mul, sub, type Tensor, variable } from '../../ops/index.js'

/** Logits [B] of one branch or of two, and where a gate decides, the share of the first [B]. */
export interface Mixed {
  branches: Tensor[]
  share?: Tensor
}

/** Share of the first of two branches: a variable that is no parameter, chosen on the validation period. */
export const mixVariable = 'mix'

/**
 * Logits [B] of one branch, or of two in the proportion of the gate, else of `mixVariable`. Where training kept a
 * share of the negatives only, `negatives`, its odds are that much too high (He et al. 2014,
 * doi:10.1145/2648584.2648589): the logits come down by the logarithm.
 */
export function mixture({ branches, share = variable(mixVariable, []) }: Mixed, negatives = 1): Tensor {
  const logits = branches.length === 1 ? branches[0] : between(branches, share)
  return negatives === 1 ? logits : add(logits, Math.log(negatives))
}

const between = ([a, b]: readonly Tensor[], share: Tensor | number) => add(b, mul(sub(a, b), share))

/**
 * Cross-entropy of the clicks under the mean of the branches, or as the gate mixes them, and `branchWeight` of it
 * under each alone. `weights` [B], of mean 1, say how much each impression counts.
 */
export function ctrLoss({ branches, share }: Mixed, labels: Tensor, branchWeight: number, weights?: Tensor): Tensor {
  const [a, b] = branches
  if (b === undefined) return binaryCrossEntropy(a, labels, weights)
  const joint = share ? between(branches, share) : mul(add(a, b), 0.5)
  const alone = add(binaryCrossEntropy(a, labels, weights), binaryCrossEntropy(b, labels, weights))
  return add(binaryCrossEntropy(joint, labels, weights), mul(alone, branchWeight))
}
