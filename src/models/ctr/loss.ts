import { binaryCrossEntropy } from '../../losses/binary.js'
import { add, mul, sub, type Tensor, variable } from '../../ops/index.js'

/** Logits [B] of one or two branches; with a gate, the share of the first branch [B]. */
export interface Mixed {
  branches: Tensor[]
  share?: Tensor
}

/** Variable with the share of the first of two branches; not a parameter, but chosen on the validation period. */
export const mixVariable = 'mix'

/**
 * Logits [B] of one branch, or of two mixed by the gate, else by `mixVariable`. If training kept only a share
 * `negatives` of the negatives, its odds are too high by 1 / `negatives` (He et al. 2014,
 * doi:10.1145/2648584.2648589): ln `negatives` is added to the logits.
 */
export function mixture({ branches, share = variable(mixVariable, []) }: Mixed, negatives = 1): Tensor {
  const logits = branches.length === 1 ? branches[0] : between(branches, share)
  return negatives === 1 ? logits : add(logits, Math.log(negatives))
}

const between = ([a, b]: readonly Tensor[], share: Tensor | number) => add(b, mul(sub(a, b), share))

/**
 * Cross-entropy of the clicks, a scalar: for the mean of the branches, or their mixture by the gate, plus `branchWeight`
 * times the cross-entropy of each branch. `weights` [B] of impressions have mean 1.
 */
export function ctrLoss({ branches, share }: Mixed, labels: Tensor, branchWeight: number, weights?: Tensor): Tensor {
  const [a, b] = branches
  if (b === undefined) return binaryCrossEntropy(a, labels, weights)
  const joint = share ? between(branches, share) : mul(add(a, b), 0.5)
  const alone = add(binaryCrossEntropy(a, labels, weights), binaryCrossEntropy(b, labels, weights))
  return add(binaryCrossEntropy(joint, labels, weights), mul(alone, branchWeight))
}
