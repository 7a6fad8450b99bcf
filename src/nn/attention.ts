import {
  concat,
  constant,
  matmul,
  mul,
  reshape,
  sliceAxis,
  softmax,
  sub,
  type Tensor,
  transpose,
} from '../ops/index.js'
import { affine } from './layers.js'
import type { Parameters } from './parameters.js'

/** What a masked-out position gets added to its score: e to this power is 0 in float32. */
export const masked = -1e9

/** Mask [1, 1, L, L], to be subtracted, that hides what comes later. */
export function causalMask(length: number): Tensor {
  const mask = new Float32Array(length * length)
  for (let i = 0; i < length; i++) mask.fill(-masked, i * length + i + 1, (i + 1) * length)
  return constant(mask, [1, 1, length, length])
}

/** [B, L, D] → [B, heads, L, D / heads] */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [, length, width] = x.shape
  return transpose(reshape(x, [-1, length, heads, width / heads]), [0, 2, 1, 3])
}

/** softmax(q kᵀ / √d − mask) v, for q, k, v [B, heads, L, d]; `mask` broadcasts. */
export function scaledDotProduct(q: Tensor, k: Tensor, v: Tensor, mask?: Tensor): Tensor {
  // The factor goes to q, which is smaller; and TensorFlow would fuse product, factor and mask into one
  // kernel that oneDNN has only a slow reference for; hence the mask is subtracted, too, not added.
  const scores = matmul(mul(q, 1 / Math.sqrt(q.shape[3])), k, { transposeB: true }) // [B, heads, Lq, Lk]
  return matmul(softmax(mask ? sub(scores, mask) : scores), v)
}

/** Names of the four projections, which differ from checkpoint format to format. */
export interface ProjectionNames {
  query: string
  key: string
  value: string
  output: string
}

/**
 * Multi-head self-attention over `x` [B, L, D] (Vaswani et al. 2017): [B, L, D]; or what the positions `own`
 * [B, Lq, D] of x alone make of it: [B, Lq, D]. `mask` broadcasts to [B, heads, Lq, L].
 */
export function selfAttention(
  p: Parameters,
  x: Tensor,
  heads: number,
  names: ProjectionNames,
  { mask, own = x }: { mask?: Tensor; own?: Tensor } = {},
): Tensor {
  const width = x.shape[2]
  // One product for all projections of an input; checkpoints keep them apart.
  const projected = (input: Tensor, names: readonly string[]) => {
    const parts = names.map((name) => p.scope(name))
    const weights = parts.map((s) => s.get('weight', [width, width], { std: 0.02 }))
    const biases = parts.map((s) => s.get('bias', [width], { fill: 0 }))
    const joint = affine(input, concat(weights, 0), concat(biases, 0)) // [B, length, parts · D]
    return names.map((_, i) => splitHeads(sliceAxis(joint, 2, i * width, (i + 1) * width), heads))
  }
  const [q, k, v] =
    own === x
      ? projected(x, [names.query, names.key, names.value])
      : [...projected(own, [names.query]), ...projected(x, [names.key, names.value])]
  const mixed = reshape(transpose(scaledDotProduct(q, k, v, mask), [0, 2, 1, 3]), [-1, own.shape[1], width])
  const output = p.scope(names.output)
  return affine(mixed, output.get('weight', [width, width], { std: 0.02 }), output.get('bias', [width], { fill: 0 }))
}

/** Attention with its own queries: `query` [B, Lq, D] over `x` [B, L, D], the three projections in one weight (PyTorch's MultiheadAttention). */
export function crossAttention(p: Parameters, query: Tensor, x: Tensor, heads: number): Tensor {
  const width = x.shape[2]
  const weight = p.get('in_proj_weight', [3 * width, width], { std: 0.02 })
  const bias = p.get('in_proj_bias', [3 * width], { fill: 0 })
  const part = (i: number, of: Tensor) => sliceAxis(of, 0, i * width, (i + 1) * width)
  const [q, k, v] = [query, x, x].map((input, i) => splitHeads(affine(input, part(i, weight), part(i, bias)), heads))
  const mixed = reshape(transpose(scaledDotProduct(q, k, v), [0, 2, 1, 3]), [-1, query.shape[1], width])
  const output = p.scope('out_proj')
  return affine(mixed, output.get('weight', [width, width], { std: 0.02 }), output.get('bias', [width], { fill: 0 }))
}
