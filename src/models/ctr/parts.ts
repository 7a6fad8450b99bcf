/** What several click models share. */
import { segmentSoftmax } from '../../nn/interest.js'
import { linear } from '../../nn/layers.js'
import { type Mode, mlpHead } from '../../nn/mlp.js'
import type { Parameters } from '../../nn/parameters.js'
import { add, concat, exp, mul, reshape, sub, type Tensor } from '../../ops/index.js'
import type { BehaviorSearch, CtrModelOptions } from './config.js'
import type { CtrInputs } from './inputs.js'
import type { Mixed } from './loss.js'

/** A click model as the list in `index.ts` holds it. */
export interface ClickModel {
  /** One line for the help of `mim ctr`. */
  description: string
  /** Whether it reads content vectors, apart from a search. */
  readsContent: boolean
  /** The search that it always uses; absent: the configured one. */
  search?: BehaviorSearch['kind']
  /** Declares its parameters in `p`; returns logits [B] of one or two branches. */
  build(p: Parameters, inputs: CtrInputs, config: CtrModelOptions, mode: Mode): Mixed
}

/** The features that a branch makes of each impression. */
export interface Branch {
  /** The inputs of its head: [B, …] each. */
  parts: Tensor[]
  /** The interest of the user in the target, one of the parts: [B, D]. */
  interest: Tensor
}

/** Builds a model of one branch, with its parameters under `scope`. */
export function oneBranch(
  scope: string,
  branch: (p: Parameters, inputs: CtrInputs, config: CtrModelOptions) => Branch,
): ClickModel['build'] {
  return (p, inputs, config, mode) => {
    const own = p.scope(scope)
    return { branches: [branchLogit(own, branch(own, inputs, config), config, mode)] }
  }
}

/** The logit [B] of a branch. */
export function branchLogit(p: Parameters, { parts }: Branch, config: CtrModelOptions, mode: Mode): Tensor {
  return reshape(mlpHead(p.scope('head'), concat(parts, 1), { ...config, hidden: config.head }, mode), [-1])
}

/** `x` [B, D] with a learned row where `missing` [B, 1] is 1; unchanged if the option `defaults` is off. */
export function withDefault(p: Parameters, x: Tensor, missing: Tensor, { defaults }: CtrModelOptions): Tensor {
  if (!defaults) return x
  const width = x.shape[1]
  const learned = reshape(p.get('default', [width], { std: Math.sqrt(1 / width) }), [1, width])
  return add(mul(x, sub(1, missing)), mul(missing, learned)) // [B, D]
}

/** 1 / τ for cosines, a scalar; learned as its logarithm, which starts at ln 10. */
export const sharpness = (p: Parameters) => exp(p.get('sharpness', [], { fill: Math.log(10) }))

/** softmax(cosine / τ) over the behaviors of each impression: [N]. */
export function similarityWeights(p: Parameters, inputs: CtrInputs): Tensor {
  const { cosines, both } = inputs.relevance()
  return segmentSoftmax(mul(cosines, sharpness(p)), inputs.owner, inputs.content().target.vectors, both)
}

/** The projection of content vectors [n, d] → [n, contentDim]; targets and behaviors share it. */
export function projection(p: Parameters, { contentDim }: CtrModelOptions) {
  return (x: Tensor) => linear(p.scope('projection'), x, contentDim, { std: Math.sqrt(1 / x.shape[1]) })
}
