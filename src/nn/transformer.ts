import { add, block, gelu, geluTanh, quickGelu, relu, type Tensor } from '../ops/index.js'
import { type ProjectionNames, selfAttention } from './attention.js'
import { layerNorm, linear } from './layers.js'
import type { Parameters } from './parameters.js'

/** Activations by the names that Hugging Face configs use. */
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

/** Two linear layers with an activation between, as CLIP names them. */
export function mlp(p: Parameters, x: Tensor, { hidden, activation }: TransformerShape): Tensor {
  const width = x.shape[x.shape.length - 1]
  return linear(p.scope('fc2'), activations[activation](linear(p.scope('fc1'), x, hidden)), width)
}

/** Pre-norm transformer over `x` [B, L, D] in CLIP's layout (`layers.N.…`). */
export function preNormTransformer(p: Parameters, x: Tensor, shape: TransformerShape, mask?: Tensor): Tensor {
  for (let i = 0; i < shape.layers; i++) {
    const layer = p.scope(`layers.${i}`)
    x = block(x, (x) => {
      const attended = layerNorm(layer.scope('layer_norm1'), x, shape.epsilon)
      const y = add(x, selfAttention(layer.scope('self_attn'), attended, shape.heads, clipNames, mask))
      return add(y, mlp(layer.scope('mlp'), layerNorm(layer.scope('layer_norm2'), y, shape.epsilon), shape))
    })
  }
  return x
}

const bertNames: ProjectionNames = { query: 'self.query', key: 'self.key', value: 'self.value', output: 'output.dense' }

/** Post-norm transformer over `x` [B, L, D] in BERT's layout (`layer.N.…`). */
export function postNormTransformer(p: Parameters, x: Tensor, shape: TransformerShape, mask: Tensor): Tensor {
  const width = x.shape[2]
  for (let i = 0; i < shape.layers; i++) {
    const layer = p.scope(`layer.${i}`)
    x = block(x, (x) => {
      const attended = selfAttention(layer.scope('attention'), x, shape.heads, bertNames, mask)
      const y = layerNorm(layer.scope('attention.output.LayerNorm'), add(x, attended), shape.epsilon)
      const hidden = activations[shape.activation](linear(layer.scope('intermediate.dense'), y, shape.hidden))
      const output = linear(layer.scope('output.dense'), hidden, width)
      return layerNorm(layer.scope('output.LayerNorm'), add(y, output), shape.epsilon)
    })
  }
  return x
}
