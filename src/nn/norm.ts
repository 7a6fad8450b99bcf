import {
  add,
  assign,
  mean,
  mul,
  relu,
  rsqrt,
  type Shape,
  sigmoid,
  square,
  sub,
  type Tensor,
  variable,
} from '../ops/index.js'
import type { Parameters } from './parameters.js'

/** Share of the running statistics that a step keeps. */
const momentum = 0.99
/** Added to variances. */
const epsilon = 1e-5

/**
 * Means and variances of columns: in training those of the batch, with effects that update running averages;
 * in evaluation the running averages.
 */
export class BatchStatistics {
  /** The running averages and their initial values. */
  readonly variables: { name: string; shape: Shape; start: number }[] = []
  /** The updates of a training step. */
  readonly effects: Tensor[] = []

  constructor(private readonly training: boolean) {}

  /** Mean and variance [D] of `x` [B, D]; `place` names the location in the model. */
  of(x: Tensor, place: string): { mean: Tensor; variance: Tensor } {
    const shape = [x.shape[1]]
    const [ofMean, ofVariance] = [`running.${place}mean`, `running.${place}variance`]
    this.variables.push({ name: ofMean, shape, start: 0 }, { name: ofVariance, shape, start: 1 })
    if (!this.training) return { mean: variable(ofMean, shape), variance: variable(ofVariance, shape) }
    const center = mean(x, 0)
    const spread = mean(square(sub(x, center)), 0)
    this.effects.push(moved(ofMean, shape, center), moved(ofVariance, shape, spread))
    return { mean: center, variance: spread }
  }
}

const moved = (name: string, shape: Shape, value: Tensor) =>
  assign(name, add(mul(variable(name, shape), momentum), mul(value, 1 - momentum)))

/** Location in a model; `place` is its name, the same for trained and averaged parameters. */
type Place = { p: Parameters; place: string }

function standardized(x: Tensor, place: string, statistics: BatchStatistics): Tensor {
  const { mean, variance } = statistics.of(x, place)
  return mul(sub(x, mean), rsqrt(add(variance, epsilon)))
}

/** Batch normalization of `x` [B, D] (Ioffe & Szegedy 2015, arXiv:1502.03167). */
export function batchNorm({ p, place }: Place, x: Tensor, statistics: BatchStatistics): Tensor {
  const shape = [x.shape[1]]
  const gain = p.get('gain', shape, { fill: 1 })
  return add(mul(standardized(x, `${place}norm.`, statistics), gain), p.get('shift', shape, { fill: 0 }))
}

export const activationNames = ['relu', 'prelu', 'dice'] as const
export type ActivationName = (typeof activationNames)[number]

/**
 * ReLU; PReLU with a learned slope per column, initially ¼; or Dice, which adapts to the distribution of the batch:
 * x·(p + α(1 − p)) with p = σ(standardized x) (Zhou et al. 2018, arXiv:1706.06978, section 5.3). [B, D] → [B, D].
 */
export function activation(at: Place, x: Tensor, name: ActivationName, statistics: BatchStatistics): Tensor {
  if (name === 'relu') return relu(x)
  const slope = at.p.get('slope', [x.shape[1]], { fill: name === 'prelu' ? 0.25 : 0 })
  if (name === 'prelu') return add(relu(x), mul(slope, sub(x, relu(x))))
  const share = sigmoid(standardized(x, `${at.place}dice.`, statistics))
  return mul(x, add(share, mul(slope, sub(1, share))))
}
