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
 * Multi-head self-attention over `x` [B, L, D] (Vaswani et al. 2017): [B, L, D]; or what the few positions `own`
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
  const [q, k, v, out] = [names.query, names.key, names.value, names.output].map((name): Projection => {
    const part = p.scope(name)
    return { weight: part.get('weight', [width, width], { std: 0.02 }), bias: part.get('bias', [width], { fill: 0 }) }
  })
  const heard = own === x ? ofAll(x, heads, [q, k, v], mask) : ofFew(own, x, heads, [q, k, v], mask)
  const mixed = reshape(transpose(heard, [0, 2, 1, 3]), [-1, own.shape[1], width])
  return affine(mixed, out.weight, out.bias)
}

interface Projection {
  /** [D, D], [D] */
  weight: Tensor
  bias: Tensor
}

/** What each position of `x` hears, head by head: [B, heads, L, D / heads]. */
function ofAll(x: Tensor, heads: number, parts: readonly Projection[], mask: Tensor | undefined): Tensor {
  const width = x.shape[2]
  // One product for all projections; checkpoints keep them apart.
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
  return scaledDotProduct(q, k, v, mask)
}

/**
 * The same for the positions `own` [B, Lq, D] alone: [B, heads, Lq, D / heads]. For few of them it takes far less to
 * turn the queries to the inputs, q·(W x + b) = (Wᵀ q)·x + q·b, and to project what was heard, Σ α (W x + b) =
 * W (Σ α x) + b, than to make a key and a value of every position.
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
  const byHead = (weight: Tensor) => reshape(weight, [heads, each, width])
  const rowsByHead = (x: Tensor) => reshape(transpose(x, [1, 0, 2, 3]), [heads, -1, x.shape[3]]) // [heads, B · Lq, …]
  const rowsByItem = (x: Tensor) => transpose(reshape(x, [heads, -1, count, x.shape[2]]), [1, 0, 2, 3])
  const flat = (x: Tensor) => reshape(x, [-1, heads * count, x.shape[3]])

  const q = rowsByHead(mul(splitHeads(affine(own, query.weight, query.bias), heads), 1 / Math.sqrt(each)))
  const turned = rowsByItem(matmul(q, byHead(key.weight))) // [B, heads, Lq, D]
  const constant = rowsByItem(matmul(q, reshape(key.bias, [heads, each, 1]))) // [B, heads, Lq, 1]
  const dots = reshape(matmul(flat(turned), x, { transposeB: true }), [-1, heads, count, x.shape[1]])
  const scores = add(dots, constant)
  const shares = softmax(mask ? sub(scores, mask) : scores)
  const heard = reshape(matmul(flat(shares), x), [-1, heads, count, width])
  const projected = rowsByItem(matmul(rowsByHead(heard), byHead(value.weight), { transposeB: true }))
  return add(projected, reshape(value.bias, [1, heads, 1, each]))
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
