/**
 * Activation functions and their gradients as loops over typed arrays, one loop per form: V8 keeps the numbers of
 * such a loop in registers; a call per element would cost more than the function itself.
 */
import type { ActivationForm } from '../tensor.js'

const lowest = -150
/** 2ⁿ for n from `lowest` up to the range of float32. */
const powersOfTwo = Float64Array.from({ length: 280 }, (_, i) => 2 ** (i + lowest))

/**
 * eˣ, relative error < 2e-9, 0 below −103 and constant above 88 (the range of float32): eˣ = 2ⁿ·eʳ with |r| ≤ ln 2 / 2.
 * Several times faster than Math.exp, which has the full precision of a double.
 */
function exp(x: number): number {
  if (x < -103) return 0
  if (x > 88.7) x = 88.7
  const n = Math.floor(x * Math.LOG2E + 0.5)
  const r = x - n * Math.LN2
  const series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r / 5040))))))
  return series * powersOfTwo[n - lowest]
}

const sigma = (x: number) => 1 / (1 + exp(-x))

/** tanh x, with absolute error < 4e-9. */
const tanh = (x: number) => 1 - 2 / (exp(2 * x) + 1)

/**
 * Upper tail probability of a standard normal beyond |x|, given `density` = e^(−x²/2); error < 7.5e-8
 * (Abramowitz & Stegun 7.1.26, erfc by a polynomial in 1/(1 + p·|x|/√2) times that density).
 */
function upperTail(x: number, density: number): number {
  const t = 1 / (1 + 0.3275911 * Math.SQRT1_2 * Math.abs(x))
  const erfc = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  return 0.5 * erfc * density
}

const halfLog = Math.sqrt(2 / Math.PI)
const cubic = 0.044715
const peak = 1 / Math.sqrt(2 * Math.PI)

type Loop = (x: Float32Array, out: Float32Array) => void

/** Forms without a kernel elsewhere. */
type LoopForm = Exclude<ActivationForm, 'sigmoid' | 'relu'>

const loops: Record<LoopForm, Loop> = {
  tanh: (x, out) => {
    for (let i = 0; i < x.length; i++) out[i] = tanh(x[i])
  },
  softplus: (x, out) => {
    for (let i = 0; i < x.length; i++) out[i] = Math.max(x[i], 0) + Math.log1p(exp(-Math.abs(x[i])))
  },
  gelu: (x, out) => {
    for (let i = 0; i < x.length; i++) {
      const v = x[i]
      const tail = upperTail(v, exp(-0.5 * v * v))
      out[i] = v * (v < 0 ? tail : 1 - tail)
    }
  },
  geluTanh: (x, out) => {
    for (let i = 0; i < x.length; i++) {
      const v = x[i]
      out[i] = 0.5 * v * (1 + tanh(halfLog * (v + cubic * v * v * v)))
    }
  },
  quickGelu: (x, out) => {
    for (let i = 0; i < x.length; i++) out[i] = x[i] * sigma(1.702 * x[i])
  },
}

type GradLoop = (x: Float32Array, y: Float32Array, dy: Float32Array, out: Float32Array) => void

/** dy times the slope at the input x; y is the output. */
const gradLoops: Record<LoopForm, GradLoop> = {
  tanh: (_, y, dy, out) => {
    for (let i = 0; i < y.length; i++) out[i] = dy[i] * (1 - y[i] * y[i])
  },
  softplus: (x, _, dy, out) => {
    for (let i = 0; i < x.length; i++) out[i] = dy[i] * sigma(x[i])
  },
  gelu: (x, _, dy, out) => {
    for (let i = 0; i < x.length; i++) {
      const v = x[i]
      const density = exp(-0.5 * v * v)
      const tail = upperTail(v, density)
      out[i] = dy[i] * ((v < 0 ? tail : 1 - tail) + v * peak * density)
    }
  },
  geluTanh: (x, _, dy, out) => {
    for (let i = 0; i < x.length; i++) {
      const v = x[i]
      const inner = tanh(halfLog * (v + cubic * v * v * v))
      const slope = halfLog * (1 + 3 * cubic * v * v)
      out[i] = dy[i] * 0.5 * (1 + inner + v * (1 - inner * inner) * slope)
    }
  },
  quickGelu: (x, _, dy, out) => {
    for (let i = 0; i < x.length; i++) {
      const s = sigma(1.702 * x[i])
      out[i] = dy[i] * s * (1 + 1.702 * x[i] * (1 - s))
    }
  },
}

export const activation = (form: LoopForm, x: Float32Array, out: Float32Array) => loops[form](x, out)

/** Gradient at the input `x` of an activation: `y` is its output, `dy` the gradient of the output. */
export const activationGrad = (form: LoopForm, x: Float32Array, y: Float32Array, dy: Float32Array, out: Float32Array) =>
  gradLoops[form](x, y, dy, out)
