import { add, block, gelu, geluTanh, quickGelu, relu, sliceAxis, type Tensor } from '../ops/index.js'
import { type ProjectionNames, selfAttention } from './attention.js'
import { layerNorm, linear } from './layers.js'
import type { Parameters } from './parameters.js'

/** Activations by their names in configurations of Hugging Face. */
export const activations: Record<string, (x: Tensor) => Tensor> = {
  gelu,
  quick_gelu: quickGelu,
  gelu_pytorch_tanh: geluTanh,
  relu,
}

export interface TransformerShape {
  layers: number
  heads: number
  /** Width of the hidden layer of the feed-forward part. */
  hidden: number
  activation: string
  epsilon: number
}

const clipNames: ProjectionNames = { query: 'q_proj', key: 'k_proj', value: 'v_proj', output: 'out_proj' }

/** Two linear layers with an activation between them, named as in CLIP: [..., D] → [..., D]. */
export function mlp(p: Parameters, x: Tensor, { hidden, activation }: TransformerShape): Tensor {
  const width = x.shape[x.shape.length - 1]
  return linear(p.scope('fc2'), activations[activation](linear(p.scope('fc1'), x, hidden)), width)
}

/** The one position of every row that the output is read at. */
export interface Reading {
  /** [B, L, D] → [B, 1, D] */
  at(x: Tensor): Tensor
  /** Mask of this position, [B, 1, 1, L], to be subtracted; only if it differs from the mask of the others. */
  mask?: Tensor
}

interface TransformerOptions {
  /** Subtracted from the scores; broadcasts to [B, heads, L, L]. */
  mask?: Tensor
  /** The last block computes this position only; absent: all positions. */
  reading?: Reading
}

/** Calls `f` for each block with its number, its mask, and the function that selects its positions. */
function blocks(
  x: Tensor,
  { layers }: TransformerShape,
  { mask, reading }: TransformerOptions,
  f: (x: Tensor, i: number, at: (x: Tensor) => Tensor, mask: Tensor | undefined) => Tensor,
): Tensor {
  for (let i = 0; i < layers; i++) {
    const isRead = reading && i === layers - 1
    x = block(x, (x) => f(x, i, isRead ? reading.at : (x) => x, isRead ? (reading.mask ?? mask) : mask))
  }
  return x
}

/** Pre-norm transformer over `x` [B, L, D] in CLIP's layout (`layers.N.…`): [B, L, D], with a reading [B, 1, D]. */
export function preNormTransformer(
  p: Parameters,
  x: Tensor,
  shape: TransformerShape,
  options: TransformerOptions = {},
): Tensor {
  return blocks(x, shape, options, (x, i, at, mask) => {
    const layer = p.scope(`layers.${i}`)
    const normed = layerNorm(layer.scope('layer_norm1'), x, shape.epsilon)
    const attended = selfAttention(layer.scope('self_attn'), normed, shape.heads, clipNames, { mask, own: at(normed) })
    const y = add(at(x), attended)
    return add(y, mlp(layer.scope('mlp'), layerNorm(layer.scope('layer_norm2'), y, shape.epsilon), shape))
  })
}

const bertNames: ProjectionNames = { query: 'self.query', key: 'self.key', value: 'self.value', output: 'output.dense' }

/** Post-norm transformer over `x` [B, L, D] in BERT's layout (`layer.N.…`): [B, L, D], with a reading [B, 1, D]. */
export function postNormTransformer(
  p: Parameters,
  x: Tensor,
  shape: TransformerShape,
  options: TransformerOptions = {},
): Tensor {
  const width = x.shape[2]
  return blocks(x, shape, options, (x, i, at, mask) => {
    const layer = p.scope(`layer.${i}`)
    const own = at(x)
    const attended = selfAttention(layer.scope('attention'), x, shape.heads, bertNames, { mask, own })
    const y = layerNorm(layer.scope('attention.output.LayerNorm'), add(own, attended), shape.epsilon)
    const hidden = activations[shape.activation](linear(layer.scope('intermediate.dense'), y, shape.hidden))
    const output = linear(layer.scope('output.dense'), hidden, width)
    return layerNorm(layer.scope('output.LayerNorm'), add(y, output), shape.epsilon)
  })
}

/** Reads one position, counted from the end if negative. */
export function readAt(position: number): Reading {
  return {
    at(x) {
      const from = position < 0 ? x.shape[1] + position : position
      return sliceAxis(x, 1, from, from + 1)
    },
  }
}
