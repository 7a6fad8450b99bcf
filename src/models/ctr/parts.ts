/** What the pages of several models share. */
import { segmentSoftmax } from '../../nn/interest.js'
import { linear } from '../../nn/layers.js'
import { type Mode, mlpHead } from '../../nn/mlp.js'
import type { Parameters } from '../../nn/parameters.js'
import { add, concat, exp, mul, reshape, sub, type Tensor } from '../../ops/index.js'
import type { CtrModelConfig } from './config.js'
import type { CtrInputs } from './inputs.js'

/** What a branch makes of each impression: all that its head reads [B, …], and of it the interest [B, D]. */
export interface Branch {
  parts: Tensor[]
  interest: Tensor
}

/** The logit [B] of a branch. */
export function branchLogit(p: Parameters, { parts }: Branch, config: CtrModelConfig, mode: Mode): Tensor {
  return reshape(mlpHead(p.scope('head'), concat(parts, 1), { ...config, hidden: config.head }, mode), [-1])
}

/** `x` [B, D] with a learned row where `missing` [B, 1] is 1; as it is where the model has no such defaults. */
export function withDefault(p: Parameters, x: Tensor, missing: Tensor, { defaults }: CtrModelConfig): Tensor {
  if (!defaults) return x
  const width = x.shape[1]
  const stand = reshape(p.get('default', [width], { std: Math.sqrt(1 / width) }), [1, width])
  return add(mul(x, sub(1, missing)), mul(missing, stand))
}

/** 1 / τ of a cosine, learned as a logarithm from 10 on. */
export const sharpness = (p: Parameters) => exp(p.get('sharpness', [], { fill: Math.log(10) }))

/** softmax(cosine / τ) among the behaviors of each impression [N]. */
export function similarityWeights(p: Parameters, inputs: CtrInputs): Tensor {
  const { cosines, both } = inputs.relevance()
  return segmentSoftmax(mul(cosines, sharpness(p)), inputs.owner, inputs.content().target.vectors, both)
}

/** The projection of content vectors [n, d] → [n, width], one for targets and behaviors. */
export function projection(p: Parameters, { contentDim }: CtrModelConfig) {
  return (x: Tensor) => linear(p.scope('projection'), x, contentDim, { std: Math.sqrt(1 / x.shape[1]) })
}
