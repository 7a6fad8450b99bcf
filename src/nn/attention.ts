import {
  add,
  concat,
  constant,
  matmul,
  mul,
  reshape,
  sliceAxis,
  softmax,
  sub,
  sum,
  type Tensor,
  transpose,
} from '../ops/index.js'
import { affine } from './layers.js'
import type { Parameters } from './parameters.js'

/** Added to the score of a masked position: its exponential is 0 in float32. */
export const masked = -1e9

/** Mask [1, 1, L, L], to be subtracted from scores, that hides later positions. */
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

/** softmax(q kᵀ / √d − mask) v for q, k, v [B, heads, L, d]: [B, heads, L, d]; `mask` broadcasts to [B, heads, L, L]. */
export function scaledDotProduct(q: Tensor, k: Tensor, v: Tensor, mask?: Tensor): Tensor {
  // The factor is applied to q, which is smaller, and the mask is subtracted instead of added: otherwise TensorFlow
  // fuses product, factor and mask into one kernel that oneDNN has only a slow reference implementation of.
  const scores = matmul(mul(q, 1 / Math.sqrt(q.shape[3])), k, { transposeB: true }) // [B, heads, Lq, Lk]
  return matmul(softmax(mask ? sub(scores, mask) : scores), v) // [B, heads, Lq, d]
}

/** Names of the four projections, which depend on the checkpoint format. */
export interface ProjectionNames {
  query: string
  key: string
  value: string
  output: string
}

/**
 * Multi-head self-attention over `x` [B, L, D] (Vaswani et al. 2017, arXiv:1706.03762): [B, L, D]. With `own`
 * [B, Lq, D], some positions of x, only for these: [B, Lq, D]. `mask` broadcasts to [B, heads, Lq, L].
 */
export function selfAttention(
  p: Parameters,
  x: Tensor,
  heads: number,
  names: ProjectionNames,
  { mask, own = x }: { mask?: Tensor; own?: Tensor } = {},
): Tensor {
  const width = x.shape[2]
  const [q, k, v, out] = [names.query, names.key, names.value, names.output].map((name): Projection => {
    const part = p.scope(name)
    return { weight: part.get('weight', [width, width], { std: 0.02 }), bias: part.get('bias', [width], { fill: 0 }) }
  })
  const mixed = own === x ? ofAll(x, heads, [q, k, v], mask) : ofFew(own, x, heads, [q, k, v], mask)
  return affine(mixed, out.weight, out.bias)
}

interface Projection {
  /** [D, D], [D] */
  weight: Tensor
  bias: Tensor
}

/** Attention output of every position of `x`, heads concatenated: [B, L, D]. */
function ofAll(x: Tensor, heads: number, parts: readonly Projection[], mask: Tensor | undefined): Tensor {
  const width = x.shape[2]
  // One product for all projections; checkpoints store them separately.
  const weights = concat(
    parts.map(({ weight }) => weight),
    0,
  )
  const biases = concat(
    parts.map(({ bias }) => bias),
    0,
  )
  const joint = affine(x, weights, biases) // [B, L, 3 D]
  const [q, k, v] = parts.map((_, i) => splitHeads(sliceAxis(joint, 2, i * width, (i + 1) * width), heads))
  return reshape(transpose(scaledDotProduct(q, k, v, mask), [0, 2, 1, 3]), [-1, x.shape[1], width])
}

/**
 * The same for the positions `own` [B, Lq, D] only: [B, Lq, D]. With few of them it is far cheaper to map the queries
 * to the inputs, q·(W x + b) = (Wᵀ q)·x + q·b, and to project the weighted sum, Σ α (W x + b) = W (Σ α x) + b, than to
 * compute a key and a value for every position. Heads are computed one by one as matrix products, because rounding of
 * batched products in ONNX Runtime depends on their number of rows.
 */
function ofFew(
  own: Tensor,
  x: Tensor,
  heads: number,
  [query, key, value]: readonly Projection[],
  mask: Tensor | undefined,
): Tensor {
  const [, count, width] = own.shape
  const each = width / heads
  /** `f` applied to the part of each head, concatenated along axis 1. */
  const byHead = (f: (part: (x: Tensor, axis: number, size: number) => Tensor) => Tensor) =>
    concat(
      Array.from({ length: heads }, (_, h) => f((x, axis, size) => sliceAxis(x, axis, h * size, (h + 1) * size))),
      1,
    )
  const q = mul(reshape(affine(own, query.weight, query.bias), [-1, width]), 1 / Math.sqrt(each)) // [B · Lq, D]
  const turned = byHead((part) => matmul(part(q, 1, each), part(key.weight, 0, each))) // [B · Lq, heads · D]
  const constants = sum(reshape(mul(q, key.bias), [-1, count, heads, each]), 3, true) // [B, Lq, heads, 1]
  const dots = matmul(reshape(turned, [-1, count * heads, width]), x, { transposeB: true }) // [B, Lq · heads, L]
  const scores = add(reshape(dots, [-1, count, heads, x.shape[1]]), constants) // [B, Lq, heads, L]
  const shares = softmax(mask ? sub(scores, transpose(mask, [0, 2, 1, 3])) : scores)
  const mixed = matmul(reshape(shares, [-1, count * heads, x.shape[1]]), x) // [B, Lq · heads, D]
  const rows = reshape(mixed, [-1, heads * width]) // [B · Lq, heads · D]
  const values = byHead((part) => matmul(part(rows, 1, width), part(value.weight, 0, each), { transposeB: true }))
  return reshape(add(values, value.bias), [-1, count, width])
}

/**
 * Cross-attention of `query` [B, Lq, D] over `x` [B, L, D]: [B, Lq, D]. The three projections share one weight, as in
 * MultiheadAttention of PyTorch.
 */
export function crossAttention(p: Parameters, query: Tensor, x: Tensor, heads: number): Tensor {
  const width = x.shape[2]
  const weight = p.get('in_proj_weight', [3 * width, width], { std: 0.02 })
  const bias = p.get('in_proj_bias', [3 * width], { fill: 0 })
  const part = (i: number, of: Tensor) => sliceAxis(of, 0, i * width, (i + 1) * width)
  const [q, k, v] = [query, x, x].map((input, i) => splitHeads(affine(input, part(i, weight), part(i, bias)), heads))
  const mixed = reshape(transpose(scaledDotProduct(q, k, v), [0, 2, 1, 3]), [-1, query.shape[1], width]) // [B, Lq, D]
  const output = p.scope('out_proj')
  return affine(mixed, output.get('weight', [width, width], { std: 0.02 }), output.get('bias', [width], { fill: 0 }))
}
