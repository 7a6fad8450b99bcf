import {
  add,
  concat,
  gather,
  matmul,
  mul,
  layerNorm as norm,
  reshape,
  rsqrt,
  sliceAxis,
  square,
  sum,
  type Tensor,
  transpose,
} from '../ops/index.js'
import type { Parameters } from './parameters.js'

/** x Wᵀ + b over the last dimension: [..., in] → [..., out]; weight [out, in] as in PyTorch. */
export function linear(p: Parameters, x: Tensor, out: number, { bias = true, std = 0.02 } = {}): Tensor {
  const width = x.shape[x.shape.length - 1]
  const weight = p.get('weight', [out, width], { std })
  return affine(x, weight, bias ? p.get('bias', [out], { fill: 0 }) : undefined)
}

/** x Wᵀ + b with a given weight [out, in] and bias [out]. */
export function affine(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [out, width] = weight.shape
  const rows = x.shape.length === 2 ? x : reshape(x, [-1, width])
  const product = matmul(rows, weight, { transposeB: true })
  const y = bias ? add(product, bias) : product
  return x.shape.length === 2 ? y : reshape(y, [...x.shape.slice(0, -1), out])
}

export function layerNorm(p: Parameters, x: Tensor, epsilon: number): Tensor {
  const width = x.shape[x.shape.length - 1]
  return norm(x, p.get('weight', [width], { fill: 1 }), p.get('bias', [width], { fill: 0 }), epsilon)
}

/** Rows `ids` int32 [...] of a dense weight [count, width]: [..., width]; the whole weight has a gradient. */
export function embedding(p: Parameters, ids: Tensor, count: number, width: number, std = 0.02): Tensor {
  return gather(p.get('weight', [count, width], { std }), ids)
}

/** x / ‖x‖ over the last dimension; a zero vector stays zero. */
export function l2Normalize(x: Tensor): Tensor {
  return mul(x, rsqrt(add(sum(square(x), -1, true), 1e-12)))
}

/** Prepends `first` [D] to every sequence of `x` [B, L, D]: [B, L + 1, D]. */
export function prependToken(first: Tensor, x: Tensor): Tensor {
  // Zero times a token of x: B rows, even if B is unknown.
  const zeros = mul(sliceAxis(x, 1, 0, 1), 0)
  return concat([add(zeros, reshape(first, [1, 1, x.shape[2]])), x], 1)
}

/** Square patches of pictures [B, C, S, S], flattened like the weight of a convolution: [B, (S/patch)², C·patch²]. */
export function patches(pixels: Tensor, patch: number): Tensor {
  const [, channels, height, width] = pixels.shape
  const [rows, columns] = [height / patch, width / patch]
  const blocks = reshape(pixels, [-1, channels, rows, patch, columns, patch])
  return reshape(transpose(blocks, [0, 2, 4, 1, 3, 5]), [-1, rows * columns, channels * patch * patch])
}
