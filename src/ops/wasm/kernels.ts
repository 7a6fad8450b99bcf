/** Loops over typed arrays for what the WASM backend lacks or does slowly. Arrays are dense and row-major. */
import type { ActivationForm } from '../tensor.js'

/** Error function, |error| < 1.2e-7 (Numerical Recipes, erfc as a Chebyshev fit). */
export function erf(x: number): number {
  const t = 2 / (2 + Math.abs(x))
  const ty = 4 * t - 2
  let d = 0
  let dd = 0
  for (let j = chebyshev.length - 1; j > 0; j--) {
    const last = d
    d = ty * d - dd + chebyshev[j]
    dd = last
  }
  const erfc = t * Math.exp(-x * x + 0.5 * (chebyshev[0] + ty * d) - dd)
  return x >= 0 ? 1 - erfc : erfc - 1
}

const chebyshev = [
  -1.3026537197817094, 0.6419697923564903, 1.9476473204185836e-2, -9.56151478680863e-3, -9.46595344482036e-4,
  3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5, -1.624290004647e-6, 1.30365583558e-6, 1.5626441722e-8,
  -8.5238095915e-8, 6.529054439e-9, 5.059343495e-9, -9.91364156e-10, -2.27365122e-10,
]

const halfLog = Math.sqrt(2 / Math.PI)
const cubic = 0.044715
const sigma = (x: number) => 1 / (1 + Math.exp(-x))

const activations: Record<ActivationForm, (x: number) => number> = {
  relu: (x) => (x > 0 ? x : 0),
  sigmoid: sigma,
  tanh: Math.tanh,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(halfLog * (x + cubic * x * x * x))),
  quickGelu: (x) => x * sigma(1.702 * x),
}

/** Slope at input x, where the output is y. */
const slopes: Record<ActivationForm, (x: number, y: number) => number> = {
  relu: (_, y) => (y > 0 ? 1 : 0),
  sigmoid: (_, y) => y * (1 - y),
  tanh: (_, y) => 1 - y * y,
  softplus: sigma,
  gelu: (x) => 0.5 * (1 + erf(x * Math.SQRT1_2)) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  geluTanh: (x) => {
    const inner = Math.tanh(halfLog * (x + cubic * x * x * x))
    return 0.5 * (1 + inner) + 0.5 * x * (1 - inner * inner) * halfLog * (1 + 3 * cubic * x * x)
  },
  quickGelu: (x) => {
    const s = sigma(1.702 * x)
    return s * (1 + 1.702 * x * (1 - s))
  },
}

export function activation(form: ActivationForm, x: Float32Array, out: Float32Array): void {
  const f = activations[form]
  for (let i = 0; i < x.length; i++) out[i] = f(x[i])
}

export function activationGrad(
  form: ActivationForm,
  x: Float32Array,
  y: Float32Array,
  dy: Float32Array,
  out: Float32Array,
) {
  const slope = slopes[form]
  for (let i = 0; i < x.length; i++) out[i] = dy[i] * slope(x[i], y[i])
}

/** `width` is the length of a row; so in all that follows. */
export function softmaxGrad(y: Float32Array, dy: Float32Array, out: Float32Array, width: number): void {
  for (let row = 0; row < y.length; row += width) {
    let dot = 0
    for (let i = row; i < row + width; i++) dot += dy[i] * y[i]
    for (let i = row; i < row + width; i++) out[i] = (dy[i] - dot) * y[i]
  }
}

/** Mean and 1/σ of the `width` values from `row` on. */
function moments(x: Float32Array, row: number, width: number, epsilon: number): [number, number] {
  let mean = 0
  for (let i = row; i < row + width; i++) mean += x[i]
  mean /= width
  let variance = 0
  for (let i = row; i < row + width; i++) variance += (x[i] - mean) ** 2
  return [mean, 1 / Math.sqrt(variance / width + epsilon)]
}

export function layerNorm(
  x: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  out: Float32Array,
  epsilon: number,
) {
  const width = gamma.length
  for (let row = 0; row < x.length; row += width) {
    const [mean, inverse] = moments(x, row, width, epsilon)
    for (let i = 0; i < width; i++) out[row + i] = (x[row + i] - mean) * inverse * gamma[i] + beta[i]
  }
}

export function layerNormGrad(
  x: Float32Array,
  gamma: Float32Array,
  dy: Float32Array,
  [dx, dGamma, dBeta]: Float32Array[],
  epsilon: number,
): void {
  const width = gamma.length
  dGamma.fill(0)
  dBeta.fill(0)
  for (let row = 0; row < x.length; row += width) {
    const [mean, inverse] = moments(x, row, width, epsilon)
    let mean1 = 0
    let mean2 = 0
    for (let i = 0; i < width; i++) {
      const standard = (x[row + i] - mean) * inverse
      const d = dy[row + i]
      dGamma[i] += d * standard
      dBeta[i] += d
      mean1 += d * gamma[i]
      mean2 += d * gamma[i] * standard
    }
    mean1 /= width
    mean2 /= width
    for (let i = 0; i < width; i++) {
      const standard = (x[row + i] - mean) * inverse
      dx[row + i] = inverse * (dy[row + i] * gamma[i] - mean1 - standard * mean2)
    }
  }
}

export function crossEntropy(logits: Float32Array, labels: Int32Array, [loss, grad]: Float32Array[]): void {
  const classes = logits.length / labels.length
  for (let r = 0; r < labels.length; r++) {
    const row = r * classes
    let top = -Infinity
    for (let i = row; i < row + classes; i++) top = Math.max(top, logits[i])
    let total = 0
    for (let i = row; i < row + classes; i++) total += Math.exp(logits[i] - top)
    for (let i = row; i < row + classes; i++) grad[i] = Math.exp(logits[i] - top) / total
    grad[row + labels[r]] -= 1
    loss[r] = top + Math.log(total) - logits[row + labels[r]]
  }
}

export function segmentSum(values: Float32Array, ids: Int32Array, out: Float32Array): void {
  const width = values.length / ids.length
  out.fill(0)
  for (let j = 0; j < ids.length; j++) {
    const to = ids[j] * width
    for (let i = 0; i < width; i++) out[to + i] += values[j * width + i]
  }
}

export function segmentMax(values: Float32Array, ids: Int32Array, out: Float32Array): void {
  const width = values.length / ids.length
  out.fill(-3.4028234663852886e38)
  for (let j = 0; j < ids.length; j++) {
    const to = ids[j] * width
    for (let i = 0; i < width; i++) out[to + i] = Math.max(out[to + i], values[j * width + i])
  }
}

export function oneHot(ids: Int32Array, out: Float32Array, depth: number): void {
  out.fill(0)
  for (let j = 0; j < ids.length; j++) if (ids[j] >= 0 && ids[j] < depth) out[j * depth + ids[j]] = 1
}

export function gatherRows(table: Float32Array | Int8Array, ids: Int32Array, out: Float32Array, scale: number): void {
  const width = out.length / ids.length
  for (let j = 0; j < ids.length; j++) out.set(table.subarray(ids[j] * width, (ids[j] + 1) * width), j * width)
  if (scale !== 1) for (let i = 0; i < out.length; i++) out[i] *= scale
}

/** Uniform numbers in [0, 1) from two seeds and a salt: a 32-bit mix of seed and position. */
export function uniform(seed: Int32Array, salt: number, out: Float32Array): void {
  let key = Math.imul(seed[0] + salt, 0x9e3779b1) ^ Math.imul(seed[1], 0x85ebca77)
  key ^= key >>> 15
  for (let i = 0; i < out.length; i++) {
    let h = Math.imul(i + 1, 0x9e3779b1) ^ key
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    out[i] = ((h ^ (h >>> 16)) >>> 8) / 2 ** 24
  }
}

export interface AdamArrays {
  variable: Float32Array
  m: Float32Array
  v: Float32Array
}

/** What an Adam step needs beside the arrays; `rate` and `epsilon` as in `AdamStep`. */
export interface AdamNumbers {
  beta1: number
  beta2: number
  rate: number
  epsilon: number
}

/** Adam on `gradient.length` values that start at `offset` of the variable; they shrink by `decay` first. */
export function adam(
  { variable, m, v }: AdamArrays,
  gradient: Float32Array,
  { beta1, beta2, rate, epsilon }: AdamNumbers,
  { offset = 0, decay = 0 } = {},
): void {
  for (let i = 0, at = offset; i < gradient.length; i++, at++) {
    const g = gradient[i]
    m[at] = beta1 * m[at] + (1 - beta1) * g
    v[at] = beta2 * v[at] + (1 - beta2) * g * g
    variable[at] = variable[at] * (1 - decay) - (rate * m[at]) / (Math.sqrt(v[at]) + epsilon)
  }
}

/** Gradient descent on a whole variable that shrinks by `decay` first; see the operation `sgd`. */
export function sgd(
  variable: Float32Array,
  velocity: Float32Array | undefined,
  gradient: Float32Array,
  { momentum, nesterov, rate, decay }: { momentum: number; nesterov: boolean; rate: number; decay: number },
): void {
  for (let i = 0; i < gradient.length; i++) {
    let direction = gradient[i]
    if (velocity) {
      velocity[i] = momentum * velocity[i] + gradient[i]
      direction = nesterov ? gradient[i] + momentum * velocity[i] : velocity[i]
    }
    variable[i] = variable[i] * (1 - decay) - rate * direction
  }
}

interface AdagradNumbers {
  rate: number
  epsilon: number
}

/** Adagrad on `gradient.length` values that start at `offset` of the variable; they shrink by `decay` first. */
export function adagrad(
  variable: Float32Array,
  accumulator: Float32Array,
  gradient: Float32Array,
  { rate, epsilon }: AdagradNumbers,
  { offset = 0, decay = 0 } = {},
): void {
  for (let i = 0, at = offset; i < gradient.length; i++, at++) {
    accumulator[at] += gradient[i] ** 2
    variable[at] = variable[at] * (1 - decay) - (rate * gradient[i]) / (Math.sqrt(accumulator[at]) + epsilon)
  }
}

/** Adagrad on row `id` of a table, whose accumulator has one number for each row. */
export function rowwiseAdagrad(
  table: Float32Array,
  accumulator: Float32Array,
  gradient: Float32Array,
  { rate, epsilon }: AdagradNumbers,
  id: number,
): void {
  let squares = 0
  for (let i = 0; i < gradient.length; i++) squares += gradient[i] * gradient[i]
  accumulator[id] += squares / gradient.length
  const step = rate / (Math.sqrt(accumulator[id]) + epsilon)
  for (let i = 0; i < gradient.length; i++) table[id * gradient.length + i] -= step * gradient[i]
}

/** variable ← keep·variable + (1 − keep)·source. */
export function follow(variable: Float32Array, source: Float32Array, keep: number): void {
  for (let i = 0; i < variable.length; i++) variable[i] -= (1 - keep) * (variable[i] - source[i])
}

/**
 * Distinct ids in order of appearance, with their gradient rows summed and `l2` times the table's row added.
 * Row 0 is padding and left out.
 */
export function distinctRows(ids: Int32Array, gradients: Float32Array, table: Float32Array, l2: number) {
  const width = gradients.length / ids.length
  const slots = new Map<number, number>()
  const summed = new Float32Array(gradients.length)
  for (let j = 0; j < ids.length; j++) {
    if (ids[j] === 0) continue
    const slot = slots.get(ids[j]) ?? slots.size
    slots.set(ids[j], slot)
    for (let i = 0; i < width; i++) summed[slot * width + i] += gradients[j * width + i]
  }
  return [...slots.keys()].map((id, slot) => {
    const gradient = summed.subarray(slot * width, (slot + 1) * width)
    if (l2 > 0) for (let i = 0; i < width; i++) gradient[i] += l2 * table[id * width + i]
    return { id, offset: id * width, gradient }
  })
}
