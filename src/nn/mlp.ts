import { add, mul, type Tensor } from '../ops/index.js'
import { type Dropout, dropout } from './dropout.js'
import { linear } from './layers.js'
import { type ActivationName, activation, type BatchStatistics, batchNorm } from './norm.js'
import type { Parameters } from './parameters.js'

export interface HeadConfig {
  /** Widths of the hidden layers. */
  hidden: readonly number[]
  activation: ActivationName
  batchNorm: boolean
  /** Layers of the cross network in front of the hidden layers. */
  cross: number
}

/** What differs between a training step and an evaluation. */
export interface Mode {
  dropout?: Dropout
  statistics: BatchStatistics
  /** Prefix of parameter names: `ema.` for moving averages, else empty. */
  prefix: string
}

/** Cross layers, hidden layers with dropout, and a linear layer of one output: [B, D] → [B, 1]. */
export function mlpHead(p: Parameters, x: Tensor, config: HeadConfig, mode: Mode): Tensor {
  const { statistics } = mode
  if (config.cross > 0) x = crossNetwork(p.scope('cross'), x, config.cross)
  config.hidden.forEach((size, i) => {
    const at = { p: p.scope(i), place: p.scope(i).prefix.slice(mode.prefix.length) }
    x = linear(at.p, x, size, { std: Math.sqrt(2 / x.shape[1]) })
    if (config.batchNorm) x = batchNorm(at, x, statistics)
    x = dropout(activation(at, x, config.activation, statistics), mode.dropout, at.p.prefix)
  })
  return linear(p.scope('out'), x, 1, { std: Math.sqrt(1 / x.shape[1]) })
}

/** Cross network of DCN V2 (Wang et al. 2021, arXiv:2008.13535, eq. 1): x ← x₀ ∘ (Wx + b) + x. [B, D] → [B, D]. */
function crossNetwork(p: Parameters, x0: Tensor, layers: number): Tensor {
  let x = x0
  for (let i = 0; i < layers; i++) {
    x = add(mul(x0, linear(p.scope(i), x, x0.shape[1], { std: Math.sqrt(1 / x0.shape[1]) })), x)
  }
  return x
}
